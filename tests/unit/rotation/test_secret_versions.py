"""Which version of a rotated secret is deployed."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmctl.errors import UsageError
from swarmctl.stack.render.settings import Settings
from swarmctl.stack.settings import recipe, versions
from swarmctl.stack.settings.versions import ALONE, MADE, NUMBER, OF, STATE, VALID
from tests.unit.engine_fake import FakeEngine

STACKS = Path(__file__).parents[3] / "stacks"
NAME = "three_tier_db_password"
NOTHING = Settings()


def engine_with(*states: str) -> FakeEngine:
    """A Swarm with the first version, and others in these states."""
    engine = FakeEngine()
    engine.add("secrets", {"Name": NAME, "Labels": {}})
    for number, state in enumerate(states, 2):
        labels = {OF: NAME, NUMBER: str(number), STATE: state}
        engine.add("secrets", {"Name": f"{NAME}_v{number}", "Labels": labels})
    return engine


def chosen(engine: FakeEngine, given: Settings, recorded: Settings = NOTHING) -> object:
    folder = STACKS / "three_tier"
    found = versions.with_versions(folder, given, given.over(recorded), engine, lambda _: None)
    return found.values.get("db.login")


def test_the_newest_version_that_is_accepted_is_deployed() -> None:
    assert chosen(engine_with(), Settings()) is None
    assert chosen(engine_with(MADE), Settings()) is None
    assert chosen(engine_with(ALONE), Settings()) == 2
    assert chosen(engine_with(ALONE, VALID), Settings()) == 3


def test_what_was_recorded_gives_way_and_what_is_given_does_not() -> None:
    engine = engine_with(ALONE, ALONE)
    assert chosen(engine, Settings(), Settings(values={"db.login": 2})) == 3
    assert chosen(engine, Settings(values={"db.login": 2})) == 2


def test_a_secret_of_another_stack_is_no_version() -> None:
    engine = engine_with()
    engine.add("secrets", {"Name": f"{NAME}_v2", "Labels": {}})
    assert chosen(engine, Settings()) is None


def test_a_recipe_with_a_missing_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rotation.yml").write_text("- {secret: a.b, version: a.c}\n")
    with pytest.raises(UsageError, match="secret, version, service, before, after"):
        recipe.read(tmp_path)


def test_a_stack_without_recipes_keeps_its_settings(tmp_path: Path) -> None:
    given = Settings(values={"x": 1})
    assert versions.with_versions(tmp_path, given, given, FakeEngine(), print) is given
