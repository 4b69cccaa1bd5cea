"""The one reader of experiments: a document → :class:`Plan`, or all its mistakes at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from swarmctl.chaos.fault.kind import OPTION_KEYS, Kind, Options
from swarmctl.chaos.fault.selection import Selection, merge
from swarmctl.chaos.faults import FAULTS
from swarmctl.chaos.plan import window
from swarmctl.chaos.plan.document import from_options, probes, schema
from swarmctl.chaos.plan.document.options import Given
from swarmctl.chaos.plan.document.section import Section
from swarmctl.chaos.plan.document.source import Source
from swarmctl.chaos.plan.hypothesis import Hypothesis
from swarmctl.chaos.plan.limits import Limits
from swarmctl.chaos.plan.plan import Plan
from swarmctl.discovery.check.find import Choice
from swarmctl.discovery.listeners.sockets import Place, parse_place
from swarmctl.errors import UsageError
from swarmctl.reading import document as documents

# Keys of `targets` that filter the nodes, and the fields of a selection that they set.
_FILTERS = {"role": "role", "leader": "leader", "az": "zone", "hosts-service": "hosts"}
_SIZES = ("count", "percent", "seed")
_MIN_WITHIN = "1s"
_MIN_DELAY = "1ms"


def plan_from_file(path: Path, given: Given | None = None) -> Plan:
    """The plan of an experiment file.

    Args:
        path: a YAML file, or a JSON file.
        given: options that are added to it.

    Raises:
        UsageError: it cannot be read.
        BadFileError: it has mistakes; each is named with its line or its option.
    """
    hint = "for an example: swarmctl chaos init FILE"
    file = documents.read(path, hint=hint, text_keys=True)
    source = from_options.add_to_file(Source(file.value, file), given or {})
    return plan_of(source, path.stem)


def plan_from_options(fault: str, given: Given) -> Plan:
    """The plan of an experiment that is given as options alone.

    Raises:
        UsageError: it has mistakes; each is named with its option.
    """
    return plan_of(from_options.from_options(fault, given), "")


def plan_of(source: Source, title: str) -> Plan:
    """Turn a document into a plan.

    Args:
        source: the document.
        title: used if the document has no ``name``.

    Raises:
        UsageError: it has mistakes.
    """
    document = Section(source, (), source.value, schema.mistakes(source))
    plan = _plan(document, title)
    if plan is None or document.mistakes:
        raise source.error(document.mistakes)
    return plan


def _plan(document: Section, title: str) -> Plan | None:
    """The plan, unless the document is no mapping; mistakes are added to the section's."""
    if not isinstance(document.value, dict):
        return None
    kind, options = _fault(document)
    hypothesis = document.section("hypothesis")
    within_s = hypothesis.seconds("within", Hypothesis().within_s, _MIN_WITHIN)
    probed = probes.read(hypothesis, within_s)
    plan = Plan(
        fault=kind.name if kind else "",
        selection=_selection(document.section("targets"), kind),
        hypothesis=Hypothesis(
            within_s=within_s,
            never_below=_never_below(hypothesis, whole=True),
            never_below_share=_never_below(hypothesis, whole=False),
            tolerances=probed.tolerances,
            every_node_success=_share(hypothesis, "every-node-success"),
        ),
        options=options,
        duration_s=document.seconds("duration", None),
        limits=_limits(document.section("guards")),
        probe_service=probed.service,
        probes=probed.planned,
        find_urls=probed.find_urls,
        listeners=_listeners(document.section("listeners")),
        title=document.get("name", title),
        cluster=document.get("cluster", ""),
        repeat=document.get("repeat", 1),
        every_s=document.seconds("every", 0.0),
        rolling=document.get("rolling", False),
        keep_going=document.get("keep-going", False),
    )
    _check_rounds(document, plan, kind)
    return plan


def _fault(document: Section) -> tuple[Kind | None, Options]:
    value = document.value.get("fault")
    name = value if isinstance(value, str) else value.get("name") if isinstance(value, dict) else ""
    kind = FAULTS.get(name) if isinstance(name, str) else None
    if kind is None or isinstance(value, str):
        return kind, Options()
    return kind, _options(document.section("fault"), kind)


def _options(section: Section, kind: Kind) -> Options:
    takes = [OPTION_KEYS[option] for option in kind.option_names]
    found: dict[str, Any] = {}
    for option, key in OPTION_KEYS.items():
        if key in section.value and key not in takes:
            listed = ", ".join(map(section.key, takes)) or "no option"
            section.wrong(key, f"{kind.name} does not take this (it takes {listed})")
        elif section.has(key):
            found[option] = section.get(key, None)
    if "delay_ms" in found:
        found["delay_ms"] = round(1000 * section.seconds("delay", 0.0, _MIN_DELAY))
    if "replace_with" in found:
        section.check_command_line("replace-with")
    return Options(**found)


def _selection(targets: Section, kind: Kind | None) -> Selection:
    selection = _chosen(targets, kind.selection if kind else Selection())
    if kind:
        try:
            kind.check_selection(selection)
        except UsageError as error:
            key = "service" if "service" in targets.value else ""
            targets.wrong(key, f"{error.message} ({error.hint})")
    return selection


def _chosen(targets: Section, defaults: Selection) -> Selection:
    given = {field: targets.get(key, None) for key, field in _FILTERS.items() if targets.has(key)}
    if targets.has("service"):
        given["service"] = targets.get("service", "")
    if targets.get("names", []):
        for key in (*_FILTERS, "label", *_SIZES):
            if key in targets.value:
                targets.wrong(key, "cannot be combined with names of nodes: nothing is drawn")
        return Selection(names=tuple(targets.get("names", [])), service=given.get("service", ""))
    if targets.has("count") and targets.has("percent"):
        targets.wrong("percent", f"cannot be combined with {targets.key('count')}")
    if targets.has("label"):
        given["labels"] = {name: targets.raw("label", name) for name in targets.get("label", {})}
    if targets.has("percent"):
        given["percent"] = targets.percent("percent", None, above_zero=True)
    given |= {key: targets.get(key, None) for key in ("count", "seed") if targets.has(key)}
    return merge(defaults, given)


def _never_below(hypothesis: Section, *, whole: bool) -> dict[str, Any]:
    section = hypothesis.section("never-below")
    well_formed = {name: value for name, value in section.value.items() if section.has(name)}
    if whole:
        return {name: value for name, value in well_formed.items() if isinstance(value, int)}
    return {
        name: section.percent(name, 0.0) / 100
        for name, value in well_formed.items()
        if isinstance(value, str)
    }


def _share(section: Section, key: str) -> float | None:
    percent = section.percent(key, None)
    return None if percent is None else percent / 100


def _listeners(section: Section) -> Choice:
    return Choice(
        consul=_place(section, "consul"),
        dns=_place(section, "dns"),
        cloud_map=section.get("cloud-map", ""),
    )


def _place(section: Section, key: str) -> Place | None:
    if not section.has(key):
        return None
    try:
        return parse_place(section.value[key], section.key(key))
    except UsageError as error:
        section.wrong(key, f"is not an address and a port ({error.hint})")
        return None


def _limits(guards: Section) -> Limits:
    defaults = Limits()
    hours = None
    if guards.has("window"):
        try:
            hours = window.parse(guards.value["window"])
        except UsageError as error:
            guards.wrong("window", f"{error.message}; {error.hint}")
    return Limits(
        max_nodes=guards.get("max-nodes", defaults.max_nodes),
        max_percent=guards.percent("max-percent", defaults.max_percent),
        window=hours,
        overrides=frozenset(guards.get("override", [])),
    )


def _check_rounds(document: Section, plan: Plan, kind: Kind | None) -> None:
    if plan.every_s and plan.repeat == 1 and not plan.rolling:
        repeat, rolling = document.key("repeat"), document.key("rolling")
        document.wrong("every", f"needs {repeat} above 1, or {rolling}")
    if not plan.rolling:
        return
    targets = document.section("targets")
    for key in ("count", "percent"):
        if key in targets.value:
            rolling = document.key("rolling")
            targets.wrong(key, f"cannot be combined with {rolling}, which takes every node in turn")
    if kind and not kind.rolls:
        document.wrong("rolling", f"{kind.name} cannot take the nodes one after the other")
