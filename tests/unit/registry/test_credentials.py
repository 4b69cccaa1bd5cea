"""Which credentials a registry gets, and for how long they are kept."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from swarmctl.cloud.ecr import Ecr, EcrError, Token
from swarmctl.errors import UsageError
from swarmctl.registry.credentials import Credentials, Keyring

ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeEcr:
    """Gives tokens that last 12 hours, and counts them."""

    def __init__(self, host: str = ECR, fault: EcrError | None = None) -> None:
        self.host, self.fault = host, fault
        self.now, self.regions = START, list[str | None]()

    def api(self, region: str | None) -> Any:
        self.regions.append(region)
        return self

    def token(self) -> Token:
        if self.fault:
            raise self.fault
        word = f"token {len(self.regions)}"
        return Token(self.host, "AWS", word, self.now + timedelta(hours=12))

    def keyring(self) -> Keyring:
        return Keyring(self.api, lambda: self.now)


@pytest.fixture(autouse=True)
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_ECR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    entry = base64.b64encode(b"me:secret").decode()
    config = {"auths": {"registry.example:5000": {"auth": entry}}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    return tmp_path / "config.json"


def test_a_registry_of_ecr_gets_a_token_of_its_region() -> None:
    ecr = FakeEcr()
    found = ecr.keyring().find(ECR)
    assert found is not None
    assert (found.username, found.password, ecr.regions) == ("AWS", "token 1", ["eu-central-1"])
    assert found.expires_at == START + timedelta(hours=12)


def test_a_token_is_replaced_before_it_ends() -> None:
    ecr = FakeEcr()
    keyring = ecr.keyring()
    for hours, word in ((0, "token 1"), (8.9, "token 1"), (9, "token 2"), (17.9, "token 2")):
        ecr.now = START + timedelta(hours=hours)
        found = keyring.find(ECR)
        assert found is not None
        assert found.password == word


def test_behind_another_endpoint_of_aws_the_token_tells_the_registry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ecr = FakeEcr("127.0.0.1:5000")
    assert ecr.keyring().find("127.0.0.1:5000") is None
    assert ecr.regions == []
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    keyring = ecr.keyring()
    assert keyring.find("127.0.0.1:5000") is not None
    assert keyring.find("127.0.0.1:5001") is None
    assert keyring.find("docker.io") is None


def test_an_ecr_without_a_token_is_an_error_and_another_registry_does_not_need_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    keyring = FakeEcr(fault=EcrError("ECR refused", code="AccessDenied")).keyring()
    with pytest.raises(EcrError, match="refused"):
        keyring.find(ECR)
    assert keyring.find("registry.example:5000") is not None


def test_docker_login_gives_the_credentials_of_other_registries() -> None:
    keyring = FakeEcr().keyring()
    found = keyring.find("registry.example:5000")
    assert found == Credentials("registry.example:5000", "me", "secret")
    assert keyring.find("other.example") is None
    assert keyring.find("docker.io") is None


def test_a_configuration_that_is_not_docker_s_is_an_error_that_names_it(
    docker_config: Path,
) -> None:
    docker_config.write_text('{"auths": {"registry.example": "no map"}}')
    with pytest.raises(UsageError, match=r"registry\.example") as caught:
        FakeEcr().keyring().find("registry.example")
    assert "docker login" in caught.value.hint


def test_no_password_is_shown_in_an_error_or_a_log() -> None:
    known = Credentials("h", "me", "hunter2", "token2")
    assert "hunter2" not in repr(known)
    assert "token2" not in repr(known)
    assert "hunter2" not in repr(Token("h", "me", "hunter2", START))


def test_the_engine_gets_user_and_password_or_the_identity_token() -> None:
    sent = json.loads(base64.urlsafe_b64decode(Credentials("h", "me", "pass").header()))
    assert sent == {"username": "me", "password": "pass", "serveraddress": "h"}
    sent = json.loads(base64.urlsafe_b64decode(Credentials("h", identity_token="t").header()))
    assert sent == {"identitytoken": "t", "serveraddress": "h"}


class _Pages:
    def __init__(self, *pages: dict[str, Any], fault: Exception | None = None) -> None:
        self.pages, self.fault = pages, fault

    def paginate(self, **_: Any) -> Any:
        if self.fault:
            raise self.fault
        return self.pages


class FakeApi:
    """boto3's client, as far as it is used."""

    def __init__(self, pages: _Pages | None = None) -> None:
        self.pages, self.deleted = pages, list[int]()

    def get_authorization_token(self) -> dict[str, Any]:
        token = base64.b64encode(b"AWS:s3cret:x").decode()
        entry = {"authorizationToken": token, "proxyEndpoint": f"https://{ECR}", "expiresAt": START}
        return {"authorizationData": [entry]}

    def get_paginator(self, _: str) -> _Pages:
        assert self.pages
        return self.pages

    def batch_delete_image(self, **arguments: Any) -> dict[str, Any]:
        self.deleted.append(len(arguments["imageIds"]))
        gone = {"imageId": {"imageDigest": "d"}, "failureCode": "ImageNotFound"}
        return {"failures": [{**gone, "failureReason": "gone"}]}


def test_ecr_s_token_has_user_password_and_the_registry_s_host() -> None:
    assert Ecr(FakeApi()).token() == Token(ECR, "AWS", "s3cret:x", START)


def test_ecr_lists_the_newest_images_first_and_deletes_a_hundred_a_call() -> None:
    old = {"imageDigest": "sha256:1", "imagePushedAt": START}
    new = {"imageDigest": "sha256:2", "imagePushedAt": START + timedelta(days=1)}
    api = FakeApi(_Pages({"imageDetails": [old]}, {"imageDetails": [new]}))
    assert [image.digest for image in Ecr(api).images("a/b")] == ["sha256:2", "sha256:1"]
    Ecr(api).delete("a/b", (f"sha256:{n}" for n in range(150)))
    assert api.deleted == [100, 50]
