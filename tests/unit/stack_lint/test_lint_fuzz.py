"""Whatever the input, there is a report and no crash."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from swarmctl.stack.lint import engine, fixes, snapshot
from swarmctl.stack.lint.formats import FORMATS
from swarmctl.stack.lint.source import Source
from tests.unit.stack_lint.lint_corpus import CORPUS
from tests.unit.stack_lint.random_files import ODD, SEEDS, generated, mutated

SWARM = snapshot.read(CORPUS / "swarm.json")


def check(data: bytes) -> engine.Report:
    """Lint, fix and write a text in every format."""
    given = Source("fuzz.yml", data, CORPUS, writable=Path("fuzz.yml"))
    report = engine.lint([given], {}, SWARM)[0]
    for name, written in FORMATS.items():
        text = written([report])
        if name in ("json", "sarif"):
            json.loads(text)
    fixed = fixes.fix_file(report, {})
    if fixed and report.accepted:
        assert engine.is_accepted(fixed.data, given, {})
    return report


@pytest.mark.parametrize("seed", range(6))
def test_mutated_files_never_crash(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(40):
        check(mutated(dice.choice(SEEDS), dice))
        check(generated(dice))


def test_random_bytes_never_crash() -> None:
    dice = random.Random(1)
    for _ in range(200):
        check(dice.randbytes(dice.randrange(200)))


@pytest.mark.parametrize("odd", ODD)
def test_odd_values_everywhere_never_crash(odd: bytes) -> None:
    for where in (
        b"%s\n", b"services: %s\n", b"services: {a: %s}\n", b"services: {a: {image: %s}}\n",
        b"services: {a: {deploy: %s}}\n", b"services: {a: {ports: [%s]}}\n",
        b"services: {a: {volumes: [%s]}}\n", b"services: {a: {environment: %s}}\n",
        b"services: {a: {networks: %s}}\n", b"networks: {a: %s}\n", b"volumes: %s\n",
        b"configs: {a: {file: %s}}\n", b"version: %s\nservices: {}\n",
        b"services: {a: {deploy: {placement: {constraints: [%s]}}}}\n",
        b"services: {a: {deploy: {resources: {reservations: {memory: %s, cpus: %s}}}}}\n",
        b"services: {a: {env_file: %s, healthcheck: %s, secrets: [%s]}}\n",
    ):  # fmt: skip
        check(where.replace(b"%s", odd))


def test_a_very_large_file_is_refused_and_a_large_one_read() -> None:
    assert not check(b"#" * (17 * 1024 * 1024)).accepted
    services = b"".join(b"  s%d: {image: 'a:1'}\n" % n for n in range(1500))
    assert check(b"services:\n" + services).accepted
