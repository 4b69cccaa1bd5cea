"""Experiments as files: YAML (or JSON) → :class:`Plan`, with every mistake said where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from swarmctl.chaos.fault.kind import Kind, Options
from swarmctl.chaos.fault.selection import Selection, merge
from swarmctl.chaos.faults import FAULTS
from swarmctl.chaos.plan import window
from swarmctl.chaos.plan.file import probes as file_probes
from swarmctl.chaos.plan.file import schema as file_schema
from swarmctl.chaos.plan.file.schema import Flaw
from swarmctl.chaos.plan.file.sections import Section
from swarmctl.chaos.plan.hypothesis import Hypothesis
from swarmctl.chaos.plan.limits import Limits
from swarmctl.chaos.plan.plan import Plan
from swarmctl.errors import UsageError
from swarmctl.reading import document as documents
from swarmctl.reading.document import BadFileError, Document

# Keys of `fault`, and the options they stand for.
OPTIONS = {
    "force": "force",
    "from": "sever",
    "level": "level",
    "delay": "delay_ms",
    "replace-with": "replace_with",
}
# Keys of `targets` that say where to draw.
_FILTERS = {"role": "role", "leader": "leader", "az": "zone", "hosts-service": "hosts"}
_SIZES = ("count", "percent", "seed")


def load(path: Path) -> Plan:
    """Read an experiment file.

    Args:
        path: a YAML file, or a JSON file.

    Raises:
        UsageError: it cannot be read.
        BadFileError: it has mistakes; all of them are named, each with its line.
    """
    hint = "an example: swarmctl chaos init FILE"
    return parse(documents.read(path, hint=hint, text_keys=True), path.stem)


def parse(document: Document[Any], title: str) -> Plan:
    """Turn a file's content into a plan.

    Args:
        document: the content.
        title: the experiment's, unless the file says it.

    Raises:
        BadFileError: it has mistakes.
    """
    found = file_schema.flaws(document)
    plan = _plan(Section(document, (), document.value, found), title)
    if plan is None or found:
        faults = sorted(
            {(flaw.line or document.line(flaw.place), flaw) for flaw in found}, key=_order
        )
        raise BadFileError(document.fault(f.place, f.text, line) for line, f in faults)
    return plan


def _order(found: tuple[int, Flaw]) -> tuple[int, str]:
    return found[0], found[1].text


def _plan(file: Section, title: str) -> Plan | None:
    """The plan, if the file is a mapping at all; mistakes are added to the section's flaws."""
    if not isinstance(file.value, dict):
        return None
    kind, options = _fault(file)
    targets, hypothesis = file.section("targets"), file.section("hypothesis")
    within_s = hypothesis.seconds("within", 120.0)
    probes = file_probes.read(hypothesis, within_s)
    plan = Plan(
        fault=kind.name if kind else "",
        selection=_selection(targets, kind),
        hypothesis=Hypothesis(
            within_s=within_s,
            never_below=_never_below(hypothesis, whole=True),
            never_below_share=_never_below(hypothesis, whole=False),
            tolerances=probes.tolerances,
        ),
        options=options,
        duration_s=file.seconds("duration", None),
        limits=_limits(file.section("guards")),
        probe_service=probes.service,
        probes=probes.listed,
        title=file.get("name", title),
        cluster=file.get("cluster", ""),
        repeat=file.get("repeat", 1),
        every_s=file.seconds("every", 0.0),
        rolling=file.get("rolling", False),
        keep_going=file.get("keep-going", False),
    )
    _check_rounds(file, plan)
    return plan


def _fault(file: Section) -> tuple[Kind | None, Options]:
    value = file.value.get("fault")
    name = value if isinstance(value, str) else value.get("name") if isinstance(value, dict) else ""
    kind = FAULTS.get(name) if isinstance(name, str) else None
    if kind is None:
        return None, Options()
    if isinstance(value, str):
        return kind, Options()
    section = file.section("fault")
    takes = [key for key, option in OPTIONS.items() if option in kind.takes]
    said: dict[str, Any] = {}
    for key, option in OPTIONS.items():
        if key not in section.value:
            continue
        if key not in takes:
            listed = ", ".join(takes) or "no option"
            section.wrong(key, f"{kind.name} does not take this (it takes {listed})")
        elif section.has(key):
            said[option] = section.get(key, None)
    if "delay_ms" in said:
        said["delay_ms"] = max(1, round(1000 * section.seconds("delay", 0.0)))
    if "replace_with" in said:
        section.command_line("replace-with")
    return kind, Options(**said)


def _selection(targets: Section, kind: Kind | None) -> Selection:
    chosen = _chosen(targets, kind.selection if kind else Selection())
    if kind:
        try:
            kind.check_selection(chosen)
        except UsageError as fault:
            key = "service" if "service" in targets.value else ""
            targets.wrong(key, f"{fault.message} ({fault.hint})")
    return chosen


def _chosen(targets: Section, usual: Selection) -> Selection:
    said = {field: targets.get(key, None) for key, field in _FILTERS.items() if targets.has(key)}
    if targets.has("service"):
        said["service"] = str(targets.get("service", ""))
    if targets.get("names", []):
        _alone(targets)
        return Selection(names=tuple(targets.get("names", [])), service=said.get("service", ""))
    if targets.has("count") and targets.has("percent"):
        targets.wrong("percent", "count and percent exclude each other")
    if targets.has("label"):
        labels = targets.get("label", {})
        said["labels"] = {str(name): targets.text("label", name) for name in labels}
    if targets.has("percent"):
        said["percent"] = targets.percent("percent", None, above_zero=True)
    said |= {key: targets.get(key, None) for key in ("count", "seed") if targets.has(key)}
    return merge(usual, said)


def _alone(targets: Section) -> None:
    """Nodes that are named are not drawn."""
    for key in (*_FILTERS, "label", *_SIZES):
        if key in targets.value:
            targets.wrong(key, "names say which nodes; nothing is drawn, so leave this out")


def _never_below(hypothesis: Section, *, whole: bool) -> dict[str, Any]:
    section = hypothesis.section("never-below")
    if whole:
        return {
            name: value
            for name, value in section.value.items()
            if section.has(name) and isinstance(value, int)
        }
    return {
        name: section.percent(name, 0.0) / 100
        for name, value in section.value.items()
        if section.has(name) and isinstance(value, str)
    }


def _limits(guards: Section) -> Limits:
    usual = Limits()
    hours = None
    if guards.has("window"):
        try:
            hours = window.parse(guards.value["window"])
        except UsageError as fault:
            guards.wrong("window", f"{fault.message}; {fault.hint}")
    return Limits(
        max_nodes=guards.get("max-nodes", usual.max_nodes),
        max_percent=guards.percent("max-percent", usual.max_percent),
        window=hours,
        overrides=frozenset(guards.get("override", [])),
    )


def _check_rounds(file: Section, plan: Plan) -> None:
    if plan.every_s and plan.repeat == 1 and not plan.rolling:
        file.wrong("every", "needs repeat over 1, or rolling: true")
    if plan.rolling:
        targets = file.section("targets")
        for key in ("count", "percent"):
            if key in targets.value:
                targets.wrong(key, "rolling takes every node in turn: leave this out")
