"""Every rule, on files written to have it and not to have it; and agreement with the docker CLI."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmctl.stack.lint.rules import RULES
from tests.unit.stack_lint.lint_corpus import (
    Sample,
    docker_accepts,
    docker_has_stack_config,
    found,
    lint,
    samples,
)

SAMPLES = samples()
IDS = [sample.path.stem for sample in SAMPLES]
PAGES = Path(__file__).parents[3] / "docs" / "lint"


@pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
def test_a_file_has_the_findings_it_says_and_no_others_of_its_rules(sample: Sample) -> None:
    report = lint(sample.path, sample.snapshot)
    assert {f for f in found(report) if f[0] in sample.rules} == sample.expected


@pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
def test_a_file_is_accepted_unless_it_says_otherwise(sample: Sample) -> None:
    assert lint(sample.path, sample.snapshot).accepted is not sample.refused


@pytest.mark.parametrize("sample", SAMPLES, ids=IDS)
def test_docker_stack_config_agrees_on_what_is_accepted(sample: Sample) -> None:
    if not docker_has_stack_config():
        pytest.skip("there is no docker CLI with `stack config` (25.0 or newer)")
    assert docker_accepts(sample.path) is lint(sample.path).accepted


def test_the_corpus_has_each_rule_both_found_and_looked_for_in_vain() -> None:
    positive = {rule for sample in SAMPLES for rule, _ in sample.expected}
    negative = {
        rule for sample in SAMPLES for rule in sample.rules - {rule for rule, _ in sample.expected}
    }
    assert positive == set(RULES)
    assert negative == set(RULES)


@pytest.mark.parametrize("id_", RULES)
def test_each_rule_has_a_page_that_says_what_why_and_how(id_: str) -> None:
    rule = RULES[id_]
    page = (PAGES / f"{id_}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {id_} {rule.name}\n")
    for heading in ("## What happens", "## Why", "## Fix"):
        assert f"\n{heading}\n" in page
    assert f"[{id_}]({id_}.md)" in (PAGES / "README.md").read_text(encoding="utf-8")
