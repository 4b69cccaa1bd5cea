"""Whatever the input, there is a report and no crash."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from swarmctl.stack.lint import engine, mend, snapshot
from swarmctl.stack.lint.formats import FORMATS
from swarmctl.stack.lint.source import Source
from tests.unit.stack_lint.lint_corpus import CORPUS

SEEDS = [path.read_bytes() for path in sorted(CORPUS.glob("*.yml"))]
SWARM = snapshot.read(CORPUS / "swarm.json")
# What tends to break readers of YAML, put where a value, a key or anything may stand.
ODD = [
    b"null", b"~", b"''", b"-1", b"2.5", b".inf", b"true", b"[]", b"{}", b"[[]]", b"{a: {b: c}}",
    b"2001-01-01", b"0755", b"*a", b"&a b", b"!x y", b"!!binary AA==", b"<<: *a", b"${", b"$$",
    b"${A:?}", b"${A:-", b"\t", b"\x00", b"\xff", b"\xe2\x82", b"\xef\xbb\xbf", b"---", b"...",
    b"99999999999999999999999", b"1e999", b"- - - x", b"? [a]", b"{{.Node.ID}}", b"%", b"`", b"@",
    b"a" * 300, b"::", b"80-90:1-2", b"[1, 1.0, '1']", b"{1: 2}", b"|\n x", b"'", b'"', b"\\",
]  # fmt: skip


def check(data: bytes) -> engine.Report:
    """Lint, mend and write a text in every format."""
    given = Source("fuzz.yml", data, CORPUS, writable=Path("fuzz.yml"))
    report = engine.lint([given], {}, SWARM)[0]
    for name, written in FORMATS.items():
        text = written([report])
        if name in ("json", "sarif"):
            json.loads(text)
    mended = mend.mend(report, {})
    if mended and report.accepted:
        assert engine.is_accepted(mended.data, given, {})
    return report


def mutated(data: bytes, dice: random.Random) -> bytes:
    """The text with one to four things done to it."""
    for _ in range(dice.randint(1, 4)):
        lines = data.split(b"\n")
        at = dice.randrange(len(lines))
        line = lines[at]
        match dice.randrange(7):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[dice.randrange(len(lines))])
            case 2:
                lines[at] = line.partition(b":")[0] + b": " + dice.choice(ODD)
            case 3:
                lines[at] = b" " * dice.randrange(8) + line.lstrip()
            case 4:
                cut = dice.randrange(len(line) + 1)
                lines[at] = line[:cut] + dice.choice(ODD) + line[cut:]
            case 5:
                lines[at] = line[: dice.randrange(len(line) + 1)]
            case _:
                indent = line[: len(line) - len(line.lstrip())]
                lines[at] = indent + b"- " + dice.choice(ODD)
        data = b"\n".join(lines)
    return data


@pytest.mark.parametrize("seed", range(6))
def test_mutated_files_never_crash(seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(40):
        check(mutated(dice.choice(SEEDS), dice))


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
