"""`swarmctl lab registry` changes the registry while it serves."""

from collections.abc import Iterator
from typing import Any

import pytest

from swarmctl.cli import main as cli
from swarmctl.errors import SwarmctlError
from swarmctl.lab import control
from swarmctl.lab.api import Api
from swarmctl.lab.registry.gateway import Limits
from tests.unit.lab.conftest import KEY_ID, SECRET
from tests.unit.lab.registry.conftest import Client, error, password


@pytest.fixture
def mine(api: Api, registry: str, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a lab whose API is the tests' own."""
    variables = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "eu-central-1",
    }
    monkeypatch.setattr(control, "environment", lambda _: variables)
    life = api.registry.tokens.life
    yield "mine"
    api.registry.tokens.life, api.registry.limits = life, Limits()


def test_the_life_of_new_passwords_is_changed_and_all_can_be_ended(
    mine: str, ecr: Any, registry: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client = Client(registry, password(ecr))
    assert cli.main(["lab", "registry", "--name", mine, "--token-life", "90s"]) == 0
    assert "new passwords: good for 90 s\n" in capsys.readouterr().out
    assert client("GET", "").status_code == 200
    assert cli.main(["lab", "registry", "--name", mine, "--end-tokens"]) == 0
    assert "ended now" in capsys.readouterr().out
    assert error(client("GET", ""))[:2] == (403, "DENIED")
    assert Client(registry, password(ecr))("GET", "").status_code == 200


def test_limits_are_set_and_lifted(mine: str, api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["lab", "registry", "--name", mine, "--room", "0", "--layer-limit", "1k"]) == 0
    assert api.registry.limits == Limits(0, 1024)
    assert "room for layers: 0 bytes\nlargest layer: 1024 bytes" in capsys.readouterr().out
    assert cli.main(["lab", "registry", "--name", mine, "--room", "none"]) == 0
    assert api.registry.limits == Limits(None, 1024)
    assert "room for layers: no limit" in capsys.readouterr().out


def test_a_setting_that_makes_no_sense_changes_nothing(mine: str, api: Api) -> None:
    for changes in ({"TokenLife": 0.0}, {"Room": -2}, {"Layer": 0.5}):
        with pytest.raises(SwarmctlError, match=r"is a number|are numbers"):
            control.registry(mine, **changes)
    assert api.registry.limits == Limits()


def test_a_fault_of_the_registry_leaves_the_api_alone(mine: str, ecr: Any, registry: str) -> None:
    client = Client(registry, password(ecr))
    control.fail(mine, 60, 503, "registry")
    try:
        assert error(client("GET", ""))[:2] == (503, "UNAVAILABLE")
        control.fail(mine, 60, 520, "registry")  # a status without a phrase of its own
        assert error(client("GET", ""))[:2] == (520, "UNAVAILABLE")
        control.fail(mine, 60, 0, "registry")
        assert error(client("GET", ""))[:2] == (429, "TOOMANYREQUESTS")
        ecr.describe_repositories()
    finally:
        control.fail(mine, 0)
