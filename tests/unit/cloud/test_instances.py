"""EC2 instances by tag, and errors said before anything happens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.parsers import ResponseParserError
from botocore.stub import Stubber

from swarmctl.cloud.cloud_map import cloud_map_client
from swarmctl.cloud.ecr import Ecr
from swarmctl.cloud.instances import Cloud, Instance, Protection
from swarmctl.cloud.load_balancer import new_client
from swarmctl.cloud.session import aws_session, calls
from swarmctl.cloud.words import CloudError

REGION = "eu-central-1"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(scope="module")
def ec2() -> Cloud:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "x")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "x")
        return Cloud(REGION)


@pytest.fixture
def api(ec2: Cloud) -> Iterator[Stubber]:
    with Stubber(ec2._ec2) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


def test_the_region_is_taken_from_the_variable_that_all_messages_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Broken: boto3 alone ignores AWS_REGION, and the hint to set it leads nowhere."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_REGION", "eu-west-3")
    assert Cloud().region == "eu-west-3"
    assert Cloud(REGION).region == REGION


def test_every_request_to_aws_is_counted_by_operation(ec2: Cloud) -> None:
    """Broken: nobody sees how much of the account's limits the agent uses."""
    session = aws_session(REGION)
    client: Any = session.client(
        "ec2", aws_access_key_id="x", aws_secret_access_key="x"
    )  # no secret

    def refuse(**_: Any) -> None:
        raise RuntimeError

    client.meta.events.register_last("before-send", refuse)
    before = calls["ec2.DescribeInstances"]
    with pytest.raises(RuntimeError):
        client.describe_instances()
    assert calls["ec2.DescribeInstances"] == before + 1


def raw(name: str, cluster: str = "swarm_app", role: str = "worker", **more: Any) -> dict[str, Any]:
    tags = {
        "Name": name,
        "swarmctl:cluster": cluster,
        "swarmctl:role": role,
        "swarmctl:ssh-user": "admin",
    }
    return {
        "InstanceId": f"i-{name}",
        "State": {"Name": "running"},
        "PrivateIpAddress": "10.42.0.4",
        "Placement": {"AvailabilityZone": "eu-central-1a"},
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    } | more


def answer(*instances: dict[str, Any], more: str | None = None) -> dict[str, Any]:
    page: dict[str, Any] = {"Reservations": [{"Instances": [one]} for one in instances]}
    return page | ({"NextToken": more} if more else {})


def asked(tag: dict[str, Any], **more: Any) -> dict[str, Any]:
    alive = ["pending", "running", "stopping", "stopped"]
    return {"Filters": [tag, {"Name": "instance-state-name", "Values": alive}]} | more


def test_instances_are_found_by_tag_on_all_pages_managers_first(ec2: Cloud, api: Stubber) -> None:
    tag = {"Name": "tag:swarmctl:cluster", "Values": ["swarm_app"]}
    workers = raw("swarm_app_wkr10"), raw("swarm_app_wkr9")
    api.add_response("describe_instances", answer(*workers, more="2"), asked(tag))
    manager = raw("swarm_app_mgr1", role="manager", PublicIpAddress="198.51.100.7")
    api.add_response("describe_instances", answer(manager), asked(tag, NextToken="2"))
    found = ec2.instances("swarm_app")
    assert [i.name for i in found] == ["swarm_app_mgr1", "swarm_app_wkr9", "swarm_app_wkr10"]
    assert [i.address for i in found] == ["198.51.100.7", "10.42.0.4", "10.42.0.4"]
    assert (found[0].role, found[0].ssh_user, found[0].state) == ("manager", "admin", "running")


def test_a_wildcard_in_a_name_matches_no_other_cluster(ec2: Cloud, api: Stubber) -> None:
    tag = {"Name": "tag:swarmctl:cluster", "Values": ["swarm*"]}
    api.add_response("describe_instances", answer(raw("swarm_app_mgr1")), asked(tag))
    assert ec2.instances("swarm*") == ()


def test_a_name_that_a_terminal_would_obey_is_cleaned(ec2: Cloud, api: Stubber) -> None:
    tag = {"Name": "tag:swarmctl:cluster", "Values": ["swarm_app"]}
    api.add_response("describe_instances", answer(raw("mgr1\x1b[2J\x07")), asked(tag))
    assert [i.name for i in ec2.instances("swarm_app")] == ["mgr1"]


def test_clusters_are_those_that_have_instances(ec2: Cloud, api: Stubber) -> None:
    both = answer(raw("a"), raw("b", cluster="other"), raw("c"))
    tag = {"Name": "tag-key", "Values": ["swarmctl:cluster"]}
    api.add_response("describe_instances", both, asked(tag))
    assert ec2.clusters() == ("other", "swarm_app")


def test_the_plug_is_pulled_only_when_asked_to(ec2: Cloud, api: Stubber) -> None:
    api.add_response("stop_instances", {}, {"InstanceIds": ["i-1"], "Force": False})
    api.add_response("stop_instances", {}, {"InstanceIds": ["i-1"], "Force": True})
    ec2.stop("i-1")
    ec2.stop("i-1", force=True)


def test_a_refusal_of_ec2_is_worded(ec2: Cloud, api: Stubber) -> None:
    api.add_client_error("start_instances", "IncorrectInstanceState", "The instance is stopping.")
    with pytest.raises(
        CloudError, match=r"EC2 in eu-central-1 refused StartInstances: The"
    ) as caught:
        ec2.start("i-1")
    assert "wait until the instance is stopped" in caught.value.hint


def test_a_missing_region_is_said_first(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CloudError, match="no AWS region"):
        Cloud()


def test_missing_credentials_are_said_before_any_call(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CloudError, match="no AWS credentials") as caught:
        Cloud(REGION)
    assert "swarmctl lab env" in caught.value.hint


def test_an_endpoint_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(CloudError, match=r"http://127\.0\.0\.1:9"):
        Cloud(REGION).clusters()


def test_an_answer_that_cannot_be_read_is_not_printed_whole(
    ec2: Cloud, api: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = "Unable to parse response, invalid XML received: b'" + "\x1b[31mx" * 50_000 + "'"

    def paginate(*_: object, **__: object) -> None:
        raise ResponseParserError(whole)

    monkeypatch.setattr(ec2._ec2, "get_paginator", paginate)
    with pytest.raises(CloudError, match="cannot be read: Unable to parse") as caught:
        ec2.instances("swarm_app")
    assert len(caught.value.message) < 600
    assert "\x1b" not in caught.value.message


def test_a_refusal_of_any_length_is_cut(ec2: Cloud, api: Stubber) -> None:
    api.add_client_error("stop_instances", "Unsupported", "why " * 50_000)
    with pytest.raises(CloudError, match="refused StopInstances: why why") as caught:
        ec2.stop("i-1")
    assert len(caught.value.message) < 600


def test_an_instance_that_ec2_has_forgotten_is_terminated(ec2: Cloud, api: Stubber) -> None:
    """Broken: an hour after a machine was terminated no run can be undone any more."""
    api.add_client_error("describe_instances", "InvalidInstanceID.NotFound")
    assert ec2.state("i-0123456789abcdef0") == "terminated"
    api.add_client_error("describe_instances", "InternalError")
    with pytest.raises(CloudError):
        ec2.state("i-0123456789abcdef0")


@pytest.mark.parametrize(
    ("variable", "value"), [("AWS_PROFILE", "nope"), ("AWS_ENDPOINT_URL", "garbage")]
)
def test_an_environment_that_cannot_be_used_is_said_with_the_variable_that_makes_it_so(
    variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: a mistyped profile is a traceback."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv(variable, value)
    for begin in (Cloud, cloud_map_client, new_client, Ecr):
        with pytest.raises(CloudError, match=value) as caught:
            begin()
        assert variable in caught.value.hint


def test_how_an_instance_is_protected(ec2: Cloud, api: Stubber) -> None:
    """Metadata that are off protect as well as a token does."""
    attached = {"Attachments": [{"InstanceId": "i-1"}], "VolumeId": "vol-1"}
    api.add_response(
        "describe_volumes",
        {"Volumes": [attached | {"Encrypted": False}, attached | {"Encrypted": True}]},
    )
    options = {"HttpTokens": "required", "HttpPutResponseHopLimit": 2, "HttpEndpoint": "enabled"}
    off = {"HttpTokens": "optional", "HttpPutResponseHopLimit": 1, "HttpEndpoint": "disabled"}
    listed = [{"InstanceId": f"i-{n}", "MetadataOptions": o} for n, o in ((1, options), (2, off))]
    api.add_response("describe_instances", {"Reservations": [{"Instances": listed}]})
    nodes = [Instance(f"i-{n}", f"wkr{n}", "worker", "running", "", "", "", "", "") for n in (1, 2)]
    assert ec2.protection(nodes) == {
        "wkr1": Protection("i-1", True, 2, ("vol-1",)),
        "wkr2": Protection("i-2", True, 1),
    }
