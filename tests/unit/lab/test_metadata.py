"""A machine learns about itself, and nothing about others, from its metadata."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from swarmctl.lab.access.keys import Key, KeyRing
from swarmctl.lab.metadata.facts import Facts
from swarmctl.lab.metadata.service import MetadataService
from swarmctl.lab.metadata.tree import page

FACTS = Facts(
    id="i-1",
    image="ami-1",
    type="t3.small",
    ip="10.42.1.10",
    mac="02:00:00:00:00:01",
    interface="eni-1",
    zone="eu-central-1a",
    region="eu-central-1",
    vpc="vpc-1",
    vpc_cidr="10.42.0.0/16",
    subnet="subnet-1",
    subnet_cidr="10.42.1.0/24",
    groups=(("sg-1", "nodes"),),
    reservation="r-1",
    launched=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    account="123456789012",
    user_data=b"#!/bin/sh\n",
    tags=(("Name", "mgr1"),),
    tokens_required=True,
)
ROLE = replace(FACTS, profile="arn:aws:iam::123456789012:instance-profile/agent", role="agent")
PREFIX = "/latest/meta-data"
CREDENTIALS = f"{PREFIX}/iam/security-credentials"


class Machine:
    """A machine that asks its metadata service."""

    def __init__(self, facts: Facts) -> None:
        self.facts, self.now = facts, 0.0
        ring = KeyRing(Key("operator", "secret"), now=lambda: 1000.0 + self.now)
        self.service = MetadataService(
            lambda address: self.facts if address == self.facts.ip else None,
            lambda facts: ring.of_role(facts.role, facts.id),
            lambda: self.now,
        )

    def ask(self, path: str, method: str = "GET", ip: str = "", **headers: str) -> tuple[int, str]:
        status: list[str] = []
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "REMOTE_ADDR": ip or self.facts.ip,
            **{f"HTTP_{name}": value for name, value in headers.items()},
        }
        body = b"".join(self.service(environ, lambda line, _: status.append(line)))
        return int(status[0].split()[0]), body.decode()

    def token(self, seconds: str = "60", **headers: str) -> tuple[int, str]:
        headers["X_AWS_EC2_METADATA_TOKEN_TTL_SECONDS"] = seconds
        return self.ask("/latest/api/token", "PUT", **headers)

    def get(self, path: str) -> tuple[int, str]:
        return self.ask(path, X_AWS_EC2_METADATA_TOKEN=self.token()[1])


@pytest.fixture
def machine() -> Machine:
    return Machine(FACTS)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (f"{PREFIX}/instance-id", "i-1"),
        (f"{PREFIX}/local-ipv4", "10.42.1.10"),
        (f"{PREFIX}/placement/region", "eu-central-1"),
        (f"{PREFIX}/placement/", "availability-zone\nregion"),
        ("/2021-07-15/meta-data/placement/availability-zone", "eu-central-1a"),
        ("/latest/user-data", "#!/bin/sh\n"),
        ("/latest/", "dynamic/\nmeta-data/\nuser-data"),
    ],
)
def test_a_machine_learns_about_itself(machine: Machine, path: str, text: str) -> None:
    assert machine.get(path) == (200, text)


def test_the_identity_document_names_account_and_region(machine: Machine) -> None:
    document = json.loads(machine.get("/latest/dynamic/instance-identity/document")[1])
    assert document["instanceId"] == "i-1"
    assert (document["accountId"], document["region"]) == ("123456789012", "eu-central-1")


def test_what_does_not_exist_is_not_found(machine: Machine) -> None:
    for path in (
        f"{PREFIX}/nothing",
        f"{PREFIX}/instance-id/more",
        "/elsewhere",
        f"{PREFIX}/tags/",
    ):
        assert machine.get(path)[0] == 404, path


def test_without_a_profile_there_are_no_credentials(machine: Machine) -> None:
    assert machine.get(f"{CREDENTIALS}/") == (404, "")


def test_the_credentials_are_those_of_the_role_and_end() -> None:
    machine = Machine(ROLE)
    assert machine.get(f"{CREDENTIALS}/") == (200, "agent")
    found = json.loads(machine.get(f"{CREDENTIALS}/agent")[1])
    assert found["AccessKeyId"].startswith("ASIA")
    assert (found["Code"], found["Expiration"]) == ("Success", "1970-01-01T01:16:40Z")
    assert "operator" not in json.dumps(found)
    assert machine.get(f"{CREDENTIALS}/another")[0] == 404


def test_credentials_are_renewed_long_before_they_end() -> None:
    machine = Machine(ROLE)

    def key() -> str:
        return str(json.loads(machine.get(f"{CREDENTIALS}/agent")[1])["AccessKeyId"])

    first = key()
    machine.now = 1700.0
    assert key() == first
    machine.now = 1900.0
    assert key() != first


def test_a_request_without_a_token_is_refused_where_tokens_are_required(machine: Machine) -> None:
    assert machine.ask(f"{PREFIX}/instance-id") == (401, "")
    machine.facts = replace(FACTS, tokens_required=False)
    assert machine.ask(f"{PREFIX}/instance-id") == (200, "i-1")


def test_a_token_ends_and_is_good_for_one_machine_only(machine: Machine) -> None:
    _, token = machine.token("60")

    def status() -> int:
        return machine.ask(f"{PREFIX}/instance-id", X_AWS_EC2_METADATA_TOKEN=token)[0]

    assert status() == 200
    machine.facts = replace(FACTS, id="i-2")
    assert status() == 401
    machine.facts = FACTS
    machine.now = 60.0
    assert status() == 401


@pytest.mark.parametrize(
    "seconds", ["", "0", "21601", "many", "\u00b2", pytest.param("1" * 5000, id="no number")]
)
def test_a_token_needs_a_time_to_live(machine: Machine, seconds: str) -> None:
    assert machine.token(seconds) == (400, "")


def test_a_proxy_gets_no_token(machine: Machine) -> None:
    assert machine.token(X_FORWARDED_FOR="10.0.0.1") == (403, "")


def test_nobody_but_the_machines_of_the_vpc_is_answered(machine: Machine) -> None:
    assert machine.ask(f"{PREFIX}/instance-id", ip="10.42.0.1") == (403, "")


def test_the_service_can_be_switched_off() -> None:
    assert Machine(replace(FACTS, enabled=False)).token() == (403, "")


def test_tags_are_shown_only_where_they_were_asked_for() -> None:
    assert Machine(FACTS).get(f"{PREFIX}/tags/instance/Name")[0] == 404
    machine = Machine(replace(FACTS, shows_tags=True))
    assert machine.get(f"{PREFIX}/tags/instance/Name") == (200, "mgr1")


def test_a_key_is_made_only_when_it_is_asked_for() -> None:
    def never() -> Key:
        raise AssertionError

    assert page(ROLE, f"{CREDENTIALS}/", never) == "agent"
