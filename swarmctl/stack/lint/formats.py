"""Reports as text, JSON, SARIF 2.1.0 and GitHub workflow commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from swarmctl.stack.compose import language
from swarmctl.stack.lint.engine import Finding, Report
from swarmctl.stack.lint.phrases import count
from swarmctl.stack.lint.rule import Severity
from swarmctl.stack.lint.rules import RULES


def text(reports: Sequence[Report]) -> str:
    """One line a finding: ``file:line:column: severity RULE message``."""
    return "".join(
        f"{report.source.label}:{f.line}:{f.column}: {f.severity} {f.rule.id} {f.message} "
        f"[{f.rule.name}]\n"
        for report, f in _each(reports)
    )


def summary(reports: Sequence[Report]) -> str:
    """``2 files: 1 error, 3 warnings, 0 infos``, and what docker stack refuses."""
    counts = _counts(reports)
    words = ", ".join(count(counts[str(s)], str(s)) for s in sorted(Severity, reverse=True))
    refused = [report.source.label for report in reports if not report.accepted]
    tail = f"; docker stack refuses {', '.join(refused)}" if refused else ""
    fixable = len({(r.source.label, f.edit) for r, f in _each(reports) if f.edit})
    hint = f"; --fix fixes {fixable}" if fixable else ""
    return f"{count(len(reports), 'file')}: {words}{tail}{hint}"


def as_json(reports: Sequence[Report]) -> str:
    """One object: every file with ``accepted`` (by docker stack config) and its findings."""
    document = {
        "schema": language.SOURCE,
        "summary": _counts(reports),
        "files": [
            {
                "path": report.source.label,
                "accepted": report.accepted,
                "findings": [_finding(f) for f in report.findings],
            }
            for report in reports
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "rule": finding.rule.id,
        "name": finding.rule.name,
        "severity": str(finding.severity),
        "line": finding.line,
        "column": finding.column,
        "message": finding.message,
        "fixable": finding.edit is not None,
        "docs": finding.rule.page,
    }


_SARIF_LEVELS = {Severity.INFO: "note", Severity.WARNING: "warning", Severity.ERROR: "error"}


def sarif(reports: Sequence[Report]) -> str:
    """SARIF 2.1.0, as code scanning services read it."""
    rules = list(RULES.values())
    index = {rule.id: number for number, rule in enumerate(rules)}
    results = [
        {
            "ruleId": finding.rule.id,
            "ruleIndex": index[finding.rule.id],
            "level": _SARIF_LEVELS[finding.severity],
            "message": {"text": finding.message},
            "locations": [_location(report, finding)],
        }
        for report, finding in _each(reports)
    ]
    driver = {
        "name": "swarmctl stack lint",
        "rules": [
            {
                "id": rule.id,
                "name": rule.name,
                "shortDescription": {"text": rule.summary},
                "help": {"text": f"{rule.summary}. See {rule.page}."},
                "defaultConfiguration": {"level": _SARIF_LEVELS[rule.severity]},
            }
            for rule in rules
        ],
    }
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "results": results,
            }
        ],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _location(report: Report, finding: Finding) -> dict[str, Any]:
    path = PurePath(report.source.label)
    uri = path.as_uri() if path.is_absolute() else quote(path.as_posix())
    region = {"startLine": finding.line, "startColumn": finding.column}
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}


_GITHUB_LEVELS = {Severity.INFO: "notice", Severity.WARNING: "warning", Severity.ERROR: "error"}


def github(reports: Sequence[Report]) -> str:
    """Workflow commands, which GitHub shows beside the lines of a pull request."""
    return "".join(
        f"::{_GITHUB_LEVELS[f.severity]} file={_property(report.source.label)},line={f.line},"
        f"col={f.column},title={_property(f'{f.rule.id} {f.rule.name}')}::{_escaped(f.message)}\n"
        for report, f in _each(reports)
    )


def _escaped(message: str) -> str:
    return message.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _escaped(value).replace(":", "%3A").replace(",", "%2C")


FORMATS: dict[str, Callable[[Sequence[Report]], str]] = {
    "text": text,
    "json": as_json,
    "sarif": sarif,
    "github": github,
}


def _each(reports: Sequence[Report]) -> Iterator[tuple[Report, Finding]]:
    for report in reports:
        for finding in report.findings:
            yield report, finding


def _counts(reports: Sequence[Report]) -> dict[str, int]:
    found = [finding.severity for _, finding in _each(reports)]
    return {str(severity): found.count(severity) for severity in sorted(Severity, reverse=True)}
