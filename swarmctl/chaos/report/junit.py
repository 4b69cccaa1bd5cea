"""JUnit XML for CI: one test suite for a command, one test case for a run.

It follows the schema of Apache Ant's JUnit task. A refuted run is a failure, one that a guard
refused is skipped, and every other run that did not hold is an error.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.journal.phases import line
from swarmctl.chaos.report import words
from swarmctl.chaos.report.html import write_file
from swarmctl.chaos.report.run_summary import overridden
from swarmctl.errors import SwarmctlError

# Characters that XML 1.0 cannot hold, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@contextmanager
def written_at_end(
    path: Path | None, name: str, warn: Callable[[str], None]
) -> Iterator[list[Journal]]:
    """Write a JUnit file about the runs of one command.

    Args:
        path: where to; ``None`` for nowhere.
        name: of the test suite.
        warn: is told if the file cannot be written at the end.

    Yields:
        The list that the runs' journals are to be added to.

    Raises:
        SwarmctlError: it cannot be written, before anything is done.
    """
    journals: list[Journal] = []
    if path is None:
        yield journals
        return
    # This content stays if the command is killed.
    write_file(path, render([], name, "the command did not end"))
    failure = ""
    try:
        yield journals
    except BaseException as error:
        in_journal = bool(journals) and journals[-1].outcome not in (
            "",
            "held",
            "refuted",
            "inconclusive",
        )
        failure = "" if in_journal else str(error) or type(error).__name__
        raise
    finally:
        try:
            write_file(path, render(journals, name, failure))
        except SwarmctlError as error:  # how the run ended matters more
            warn(error.message)


def render(journals: Sequence[Journal], name: str, failure: str = "") -> str:
    """The document.

    Args:
        journals: the runs of one command, in order.
        name: of the suite.
        failure: why the command ended early, if no journal has it.
    """
    root = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(root, "testsuite")
    properties = ElementTree.SubElement(suite, "properties")
    for key, value in _properties(journals):
        ElementTree.SubElement(properties, "property", {"name": key, "value": clean(value)})
    for journal in journals:
        _case(suite, journal)
    if failure:
        case = ElementTree.SubElement(
            suite, "testcase", {"name": clean(name), "classname": "swarmctl.chaos", "time": "0.000"}
        )
        _verdict(case, "error", "error", failure, failure)
    out = ElementTree.SubElement(suite, "system-out")
    out.text = clean("\n".join(_lines(journals)))
    ElementTree.SubElement(suite, "system-err")
    count = {kind: len(suite.findall(f"testcase/{kind}")) for kind in _KINDS}
    suite.attrib.update(
        {
            "package": "swarmctl",
            "id": "0",
            "name": clean(" ".join(name.split())) or "chaos",
            "timestamp": _timestamp(journals),
            "hostname": socket.gethostname() or "localhost",
            "tests": str(len(suite.findall("testcase"))),
            "failures": str(count["failure"]),
            "errors": str(count["error"]),
            "skipped": str(count["skipped"]),
            "time": f"{sum(_seconds(journal) for journal in journals):.3f}",
        }
    )
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def clean(text: str) -> str:
    """Text with the control characters that XML forbids replaced by ``\\x1b``."""
    return _FORBIDDEN.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


_KINDS = ("failure", "error", "skipped")


def _case(suite: ElementTree.Element, journal: Journal) -> None:
    targets = ", ".join(target.what for target in journal.targets) or "no target"
    case = ElementTree.SubElement(
        suite,
        "testcase",
        {
            "name": clean(" ".join(f"{journal.title or journal.experiment}: {targets}".split())),
            "classname": f"swarmctl.chaos.{journal.experiment}",
            "time": f"{_seconds(journal):.3f}",
        },
    )
    text = words.result(journal)
    match journal.outcome:
        case "held":
            pass
        case "refuted":
            reasons = journal.verdict.reasons if journal.verdict else ()
            _verdict(case, "failure", "refuted", text, "\n".join(reasons) or text)
        case "refused":
            guards = (f"{guard.name}: {guard.detail}" for guard in journal.refusals)
            why = "; ".join(guards) or text
            ElementTree.SubElement(case, "skipped", {"message": clean(why)})
        case outcome:
            _verdict(case, "error", outcome or "not-ended", text, journal.undo.detail or text)


def _verdict(case: ElementTree.Element, tag: str, kind: str, message: str, text: str) -> None:
    found = ElementTree.SubElement(case, tag, {"message": clean(message), "type": kind})
    found.text = clean(text)


def _properties(journals: Sequence[Journal]) -> list[tuple[str, str]]:
    """Each value once, in the order of the runs."""
    values = {
        "cluster": [journal.cluster for journal in journals],
        "region": [journal.region for journal in journals],
        "fault": [journal.experiment for journal in journals],
        "engine": [_engines(journal) for journal in journals],
        "seed": [_seed(journal) for journal in journals],
        "run": [journal.id for journal in journals],
        "overrides": [" ".join(g.name for g in overridden(j)) for j in journals],
    }
    joined = ((key, ", ".join(dict.fromkeys(filter(None, v)))) for key, v in values.items())
    return [(key, value) for key, value in joined if value]


def _seed(journal: Journal) -> str:
    seed = journal.parameters.get("seed")
    return "" if seed is None else str(seed)


def _engines(journal: Journal) -> str:
    return ", ".join(sorted(set(journal.engine_versions.values())))


def _lines(journals: Sequence[Journal]) -> list[str]:
    lines = []
    for journal in journals:
        lines.append(f"{journal.id}: {words.result(journal)}")
        moments = line(journal)
        lines += [f"  {moments}"] if moments else []
    return lines


def _seconds(journal: Journal) -> float:
    return journal.ended_s or 0.0


def _timestamp(journals: Sequence[Journal]) -> str:
    """The schema allows no time zone: UTC."""
    began = datetime.fromisoformat(journals[0].started_at) if journals else datetime.now(UTC)
    return began.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
