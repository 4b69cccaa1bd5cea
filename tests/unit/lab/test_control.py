"""`swarmctl lab calls` and `swarmctl lab fault` read and disturb a served API."""

import json

import pytest
from botocore.exceptions import ClientError

from swarmctl.cli import main as cli
from swarmctl.errors import SwarmctlError
from swarmctl.lab import control
from tests.unit.lab.conftest import KEY_ID, SECRET, client


@pytest.fixture
def mine(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a lab whose API is the tests' own."""
    variables = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "eu-central-1",
    }
    monkeypatch.setattr(control, "environment", lambda _: variables)
    return "mine"


def number(action: str, outcome: str) -> int:
    found = control.traffic("mine").calls
    return sum(c.number for c in found if (c.action, c.outcome) == (action, outcome))


def test_calls_are_listed_for_people_and_programs(
    mine: str, endpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client(endpoint).describe_key_pairs()
    assert cli.main(["lab", "calls", "--name", mine]) == 0
    assert "ec2:DescribeKeyPairs" in capsys.readouterr().out
    assert cli.main(["lab", "calls", "--name", mine, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["calls"]
    assert {"caller": "operator", "action": "ec2:DescribeKeyPairs", "outcome": "passed"} in [
        {key: value for key, value in row.items() if key != "number"} for row in rows
    ]


def test_a_fault_of_one_service_begins_and_ends(
    mine: str, endpoint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["lab", "fault", "--name", mine, "--for", "1h", "--status", "503", "--service", "ec2"]
    assert cli.main(asked) == 0
    assert "ec2: HTTP 503 for 3600 s" in capsys.readouterr().err
    try:
        before = number("ec2:DescribeVpcs", "Unavailable")
        with pytest.raises(ClientError, match="Unavailable"):
            client(endpoint).describe_vpcs()
        assert number("ec2:DescribeVpcs", "Unavailable") > before
    finally:
        assert cli.main(["lab", "fault", "--name", mine, "--for", "0"]) == 0
    assert "no fault" in capsys.readouterr().err
    client(endpoint).describe_vpcs()


def test_every_error_of_the_server_can_be_asked_for(mine: str, endpoint: str) -> None:
    try:
        control.fail(mine, 3600, 599, "ec2")
        with pytest.raises(ClientError) as caught:
            client(endpoint).describe_vpcs()
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 599
    finally:
        control.fail(mine, 0)


def test_a_service_that_nobody_calls_is_refused(
    mine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Broken: the command succeeds, and nothing fails."""
    asked = ["lab", "fault", "--name", mine, "--for", "1h", "--service", "elbv2"]
    assert cli.main(asked) != 0
    assert "elasticloadbalancing" in capsys.readouterr().err


@pytest.mark.parametrize("status", ["200", "600"])
def test_only_errors_of_the_server_can_be_asked_for(mine: str, status: str) -> None:
    assert cli.main(["lab", "fault", "--name", mine, "--for", "1s", "--status", status]) == 2


def test_a_refusal_is_one_sentence(mine: str) -> None:
    with pytest.raises(SwarmctlError, match="the lab mine refused: Seconds is at most"):
        control.fail(mine, -1.0)
