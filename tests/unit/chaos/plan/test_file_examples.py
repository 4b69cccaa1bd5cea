"""The schema of experiment files, and the examples of `chaos init`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # it comes without types
import pytest

from swarmctl.chaos.fault.kind import OPTION_KEYS, Effect, Kind, Options
from swarmctl.chaos.faults import FAULTS
from swarmctl.chaos.plan.document import example
from swarmctl.chaos.plan.document import schema as file_schema
from swarmctl.chaos.plan.document.read import plan_from_file as load
from swarmctl.chaos.plan.limits import OVERRIDABLE
from swarmctl.cli.main import main
from swarmctl.errors import Exit

Write = Callable[..., Path]

# Keys and list items of an example that are commented out; `rolling` would contradict `count`.
_KEYS = "cluster|never-below|max-percent|override|window|repeat|every|keep-going"
_COMMENTED = re.compile(rf"^( *)# (?=({_KEYS}|{'|'.join(OPTION_KEYS.values())}): |probes:|  - \{{)")


def test_the_schema_is_valid_and_lists_all_faults_and_guards() -> None:
    schema = file_schema.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$defs"]["fault-name"]["enum"] == list(FAULTS)
    assert schema["$defs"]["guard"]["enum"] == list(OVERRIDABLE)


def test_every_option_of_a_fault_has_a_key_in_files() -> None:
    assert set(OPTION_KEYS) == {field.name for field in fields(Options)}
    assert {option for kind in FAULTS.values() for option in kind.option_names} == set(OPTION_KEYS)
    _, options = file_schema.schema()["properties"]["fault"]["oneOf"]
    assert set(options["properties"]) == {"name", *OPTION_KEYS.values()}


@pytest.mark.parametrize("kind", FAULTS.values(), ids=lambda kind: kind.name)
def test_the_example_of_each_fault_is_valid(write: Write, kind: Kind) -> None:
    path = write(example.write(kind, "x.yml", "some-name"))
    plan = load(path)
    assert (plan.fault, plan.title) == (kind.name, "some-name")
    assert kind.effect is Effect.TASKS or not plan.selection.service


@pytest.mark.parametrize("kind", FAULTS.values(), ids=lambda kind: kind.name)
def test_an_example_stays_valid_without_its_comment_signs(write: Write, kind: Kind) -> None:
    """Users uncomment the lines that they need."""
    text = example.write(kind, "x.yml", "some-name")
    lines = [_COMMENTED.sub(r"\1", line) for line in text.splitlines()]
    plan = load(write("\n".join(lines)))
    assert len(plan.probes) == 6
    assert (plan.repeat, plan.limits.overrides) == (3, frozenset({"capacity"}))
    assert plan.hypothesis.never_below_share == {"three_tier_web": 0.5}


def test_init_does_not_overwrite_a_file_without_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yml"
    assert main(["chaos", "init", str(path), "--fault", "task-kill"]) == Exit.OK
    assert load(path).fault == "task-kill"
    assert main(["chaos", "init", str(path)]) == Exit.USAGE
    assert "already exists" in capsys.readouterr().err
    assert load(path).fault == "task-kill"
    assert main(["chaos", "init", str(path), "--force"]) == Exit.OK
    assert load(path).fault == "instance-stop"
    assert main(["chaos", "init", str(tmp_path / "x.txt")]) == Exit.USAGE
    assert main(["chaos", "init", str(tmp_path / "y.yml"), "--fault", "drian"]) == Exit.USAGE


def test_schema_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chaos", "schema"]) == Exit.OK
    assert json.loads(capsys.readouterr().out) == file_schema.schema()
