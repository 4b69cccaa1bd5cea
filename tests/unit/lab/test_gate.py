"""Only who has the lab's own key may use its AWS API; a page in a browser never may."""

import socket
import threading
from datetime import UTC, datetime, timedelta

import boto3
import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from swarmctl.lab import http_server
from tests.unit.lab.conftest import KEY_ID, SECRET, client

FORM = "Action=DescribeVpcs&Version=2016-11-15"


def signed(endpoint: str, body: str = FORM, path: str = "/", **more: str) -> dict[str, str]:
    """The headers of a valid request."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    request = AWSRequest("POST", endpoint + path, headers | more, body)
    SigV4Auth(Credentials(KEY_ID, SECRET), "ec2", "eu-central-1").add_auth(request)
    return dict(request.headers)


def post(endpoint: str, headers: dict[str, str], body: str = FORM) -> requests.Response:
    return requests.post(f"{endpoint}/", data=body, headers=headers, timeout=60)


def refused(answer: requests.Response, why: str) -> None:
    assert (answer.status_code, why in answer.text) == (403, True), answer.text


def test_a_request_signed_with_the_labs_key_is_answered(endpoint: str) -> None:
    answer = post(endpoint, signed(endpoint))
    assert answer.status_code == 200
    assert "<vpcSet>" in answer.text


def test_other_services_are_signed_for_too(endpoint: str) -> None:
    sts = boto3.client(
        "sts",
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
    )
    assert sts.get_caller_identity()["Account"] == "123456789012"


def test_a_file_of_any_content_can_be_put_into_a_bucket(endpoint: str) -> None:
    s3 = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
    )
    s3.create_bucket(
        Bucket="kept", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    content = b"\x00&a=1&a=2&Action=x&\xff"
    s3.put_object(Bucket="kept", Key="a/b.age", Body=content)
    assert s3.get_object(Bucket="kept", Key="a/b.age")["Body"].read() == content


@pytest.mark.parametrize(
    ("key_id", "secret", "code"),
    [("lab", "lab", "AuthFailure"), (KEY_ID, "lab", "SignatureDoesNotMatch")],
)
def test_any_other_key_is_refused_with_what_to_do(
    endpoint: str, key_id: str, secret: str, code: str
) -> None:
    with pytest.raises(ClientError, match="swarmctl lab env") as caught:
        client(endpoint, key_id, secret).describe_vpcs()
    assert caught.value.response["Error"]["Code"] == code


def test_an_unsigned_request_is_refused(endpoint: str) -> None:
    refused(post(endpoint, {}), "MissingAuthenticationToken")
    refused(requests.get(endpoint, timeout=60), "MissingAuthenticationToken")


def test_a_presigned_url_is_refused(endpoint: str) -> None:
    url = client(endpoint).generate_presigned_url("describe_vpcs")
    refused(requests.get(url, timeout=60), "MissingAuthenticationToken")


def test_a_changed_body_is_refused(endpoint: str) -> None:
    refused(post(endpoint, signed(endpoint), FORM.replace("Vpcs", "Tags")), "DoesNotMatch")


def test_an_unsigned_body_is_refused(endpoint: str) -> None:
    headers = signed(endpoint, **{"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
    refused(post(endpoint, headers), "body must be signed")


def test_a_signature_for_another_path_is_refused(endpoint: str) -> None:
    refused(post(endpoint, signed(endpoint, path="/other")), "DoesNotMatch")


def test_an_old_request_cannot_be_sent_again(
    endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    past = datetime.now(UTC) - timedelta(minutes=16)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: past)
    refused(post(endpoint, signed(endpoint)), "RequestExpired")


@pytest.mark.parametrize(
    "header", [{"Origin": "http://127.0.0.1"}, {"Sec-Fetch-Site": "same-origin"}]
)
def test_a_browser_is_refused_even_with_the_key(endpoint: str, header: dict[str, str]) -> None:
    answer = post(endpoint, signed(endpoint) | header)
    refused(answer, "browser")
    assert not [name for name in answer.headers if name.startswith("Access-Control")]


def test_a_preflight_allows_nothing(endpoint: str) -> None:
    asked = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    answer = requests.options(endpoint, headers=asked, timeout=60)
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("Access-Control")]


def test_a_foreign_host_is_refused(endpoint: str) -> None:
    rebound = {"Host": f"rebind.example.org:{endpoint.rsplit(':')[-1]}"}
    refused(post(endpoint, signed(endpoint, **rebound)), "rebind.example.org")


@pytest.mark.parametrize("path", ["/moto-api/reset", "/%6doto-api/", "/moto-api"])
def test_motos_own_pages_are_closed(endpoint: str, path: str) -> None:
    headers = signed(endpoint, path=path)
    refused(requests.post(endpoint + path, data=FORM, headers=headers, timeout=60), "closed")


def test_a_key_that_no_lab_has_is_refused_and_is_no_failure(endpoint: str) -> None:
    headers = signed(endpoint)
    headers["Authorization"] = headers["Authorization"].replace(KEY_ID, "l\u00e4b")
    refused(post(endpoint, headers), "not that of this lab")


@pytest.mark.parametrize(
    "length", ["5000000", "-1", "many", "\u00b2", pytest.param("1" * 5000, id="no number")]
)
def test_an_endless_body_is_not_read(endpoint: str, length: str) -> None:
    answer = requests.post(endpoint, headers={"Content-Length": length}, timeout=60)
    refused(answer, "at most")


def test_a_connection_that_says_nothing_is_closed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Broken: each keeps a thread for as long as the lab runs."""
    monkeypatch.setattr(http_server._Quiet, "timeout", 0.1)
    server = http_server.http_server("127.0.0.1", 0, None)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as silent:
        assert silent.recv(1) == b""
    server.shutdown()
    assert caplog.records == []
