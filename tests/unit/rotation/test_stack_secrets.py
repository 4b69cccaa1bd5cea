"""A secret's rotation goes on wherever it was stopped."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from swarmctl.cluster import Target
from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.rotation import stack_secrets
from swarmctl.rotation.stack_secrets import Rotation
from swarmctl.stack.deploy.deploy import DeployOptions, DeployProgress
from swarmctl.stack.render.source import StackChoice
from swarmctl.stack.settings.recipe import Recipe
from swarmctl.stack.settings.versions import ALONE, MADE, NUMBER, OF, STATE, VALID
from tests.unit.engine_fake import FakeEngine, service_spec

RECIPE = Recipe("password", "login", "db", "BEFORE", "AFTER")
QUIET = DeployProgress(lambda _: None)


class Stopped(Exception):  # noqa: N818 - no error
    """The process ends here."""


class World:
    """A Swarm whose ``api`` uses the newest accepted version after a deploy."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine = FakeEngine()
        self.first = self.engine.add("secrets", {"Name": "pw", "Labels": {}})
        for name in ("db", "api"):
            self.engine.add("services", self._spec(name, self.first))
        self.commands: list[tuple[str, int, int, bool]] = []
        self.stop_at = ""
        monkeypatch.setattr(stack_secrets, "_run", self._run)
        monkeypatch.setattr(stack_secrets, "deploy", self._deploy)

    def _spec(self, name: str, secret: str) -> Any:
        return service_spec(name, container={"Secrets": [{"SecretID": secret}]})

    def _run(self, _one: Rotation, command: str, new: int, former: int, value: str = "") -> None:
        if command == self.stop_at:
            raise Stopped
        self.commands.append((command, new, former, bool(value)))

    def _deploy(self, *_: Any) -> list[str]:
        if self.stop_at == "deploy":
            raise Stopped
        found = [
            e for e in self.engine.store["secrets"].values() if self._state(e) in (VALID, ALONE)
        ]
        newest = max(found, key=lambda e: int(e["Spec"]["Labels"].get(NUMBER, "1")))
        api = self.engine.named("services", "shop_api")
        api["Spec"] = self._spec("api", newest["ID"])
        return ["shop: deployed"]

    def _state(self, entry: Any) -> str:
        return str(entry["Spec"]["Labels"].get(STATE, ALONE))

    def states(self) -> dict[str, str]:
        return {e["Spec"]["Name"]: self._state(e) for e in self.engine.store["secrets"].values()}

    def rotate(self, stop_at: str = "") -> list[str]:
        self.stop_at = stop_at
        one = Rotation(Target(()), StackChoice("shop"), self.engine, RECIPE, "pw")
        return stack_secrets._rotate(one, DeployOptions(), QUIET)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_services_move_to_the_new_secret_and_one_that_cannot_keeps_the_first(world: World) -> None:
    lines = world.rotate()
    assert world.states() == {"pw": ALONE, "pw_v2": ALONE}
    assert world.commands == [("BEFORE", 2, 1, True), ("AFTER", 2, 1, False)]
    assert lines[0] == "+ secret pw_v2 (random value)"
    assert "shop_db has it" in lines[1]


def test_the_former_secret_is_removed_when_nothing_names_it(world: World) -> None:
    world.rotate()
    assert "- secret pw_v2" in world.rotate()
    assert world.states() == {"pw": ALONE, "pw_v3": ALONE}
    assert world.commands[-1] == ("AFTER", 3, 2, False)


def test_a_version_that_nothing_accepts_is_made_anew(world: World) -> None:
    with pytest.raises(Stopped):
        world.rotate("BEFORE")
    assert world.states() == {"pw": ALONE, "pw_v2": MADE}
    world.rotate()
    assert world.states() == {"pw": ALONE, "pw_v2": ALONE}


@pytest.mark.parametrize("step", ["deploy", "AFTER"])
def test_a_version_that_is_accepted_is_used_after_an_interruption(world: World, step: str) -> None:
    with pytest.raises(Stopped):
        world.rotate(step)
    assert world.states() == {"pw": ALONE, "pw_v2": VALID}
    world.rotate()
    assert world.states() == {"pw": ALONE, "pw_v2": ALONE}
    assert [command for command, *_ in world.commands] == ["BEFORE", "AFTER"]


def test_a_preview_changes_nothing(world: World) -> None:
    one = Rotation(Target(()), StackChoice("shop"), world.engine, RECIPE, "pw")
    lines = stack_secrets._preview(one)
    assert lines == ["+ secret pw_v2 (random value)", "~ services that use it: shop_api"]
    assert world.states() == {"pw": ALONE}


def test_a_stack_that_was_never_deployed_is_refused(world: World) -> None:
    world.engine.store["secrets"].clear()
    with pytest.raises(SwarmctlError, match="no secret pw"):
        world.rotate()


def test_labels_tell_which_secret_a_version_belongs_to(world: World) -> None:
    world.rotate()
    labels = world.engine.named("secrets", "pw_v2")["Spec"]["Labels"]
    assert labels == {OF: "pw", NUMBER: "2", STATE: ALONE}


@pytest.fixture
def shop(tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> StackChoice:
    """A stack with a recipe; its services are in the world, and have no tasks."""
    (tmp_path / "values.yml").write_text("{password: pw, login: 1}\n")
    (tmp_path / "rotation.yml").write_text(
        "- {secret: password, version: login, service: db, before: BEFORE, after: AFTER}\n"
    )
    for entry in world.engine.store["services"].values():
        entry["Spec"]["Mode"]["Replicated"]["Replicas"] = 0
    monkeypatch.setattr(stack_secrets, "connect", lambda _: nullcontext(world.engine))
    monkeypatch.setattr(stack_secrets, "SwarmEngine", lambda engine: engine)
    monkeypatch.setattr(stack_secrets, "preview", lambda *_: [])
    return StackChoice("shop", folder=tmp_path)


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_rotation_that_cannot_end_makes_nothing(
    world: World, shop: StackChoice, monkeypatch: pytest.MonkeyPatch, dry_run: bool
) -> None:
    with pytest.raises(SwarmctlError, match="shop_db does not run"):
        stack_secrets.rotate(Target(()), shop, DeployOptions(), QUIET, dry_run=dry_run)

    def refuse(*_: object) -> list[str]:
        raise UsageError("a values file is missing")

    monkeypatch.setattr(stack_secrets, "preview", refuse)
    with pytest.raises(UsageError, match="values file"):
        stack_secrets.rotate(Target(()), shop, DeployOptions(), QUIET, dry_run=dry_run)
    assert world.states() == {"pw": ALONE}


def test_nothing_to_rotate_is_an_error(shop: StackChoice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: the run that was to change a password succeeds, and has changed none."""
    monkeypatch.setattr(stack_secrets, "stack_names", lambda: ["web"])
    with pytest.raises(UsageError, match="no secrets to rotate"):
        stack_secrets.rotatable(Target(()))
    other = replace(shop, name="other")
    with pytest.raises(UsageError, match="other is not deployed"):
        stack_secrets.rotate(Target(()), other, DeployOptions(), QUIET, dry_run=True)
