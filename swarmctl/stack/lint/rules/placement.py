"""SW050 to SW052 and SW056: where tasks may run."""

from __future__ import annotations

import re
from collections.abc import Iterator

from swarmctl.stack.compose.view import Service, Stack
from swarmctl.stack.lint import facts
from swarmctl.stack.lint.phrases import count, meant
from swarmctl.stack.lint.rule import Context, Hit, Severity, rule
from swarmctl.stack.lint.snapshot import Snapshot
from swarmctl.swarm.constraints import KEYS, LABELS, NODE_LABEL, Constraint, parse

_VALUES = {
    "node.role": ("manager", "worker"),
    "node.platform.os": ("linux", "windows"),
}
# Docker's names of architectures, and those that nodes report (uname) and Swarm compares.
_ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64", "386": "i686", "arm": "armv7l"}
_PATTERN = re.compile(r"[*?\[\]^$|()\\+]")


@rule("SW050", "constraint", Severity.ERROR, "a constraint that can never be met")
def constraint(stack: Stack, swarm: Context) -> Iterator[Hit]:
    """Constraints have == and != only and compare literally; an unknown key matches no node."""
    del swarm
    for service in stack.services:
        for text, path in service.constraints:
            problem = _problem(parse(text))
            if problem and not stack.has_unset(path):
                yield Hit(path, f"the constraint {text!r}: {problem}", on_value=True)


def _problem(parsed: Constraint) -> str:
    if parsed.problem:
        return f"{parsed.problem}; the Engine refuses it"
    key = parsed.key.lower()
    if key not in KEYS and not parsed.names_label:
        return f"unknown key {parsed.key!r}{_near_key(parsed.key)}"
    if _PATTERN.search(parsed.value):
        effect = "no node" if parsed.equal else "every node"
        return f"values are compared literally, not as patterns: {effect} matches"
    known = _VALUES.get(key, ())
    if known and parsed.value.lower() not in known:
        return f"{parsed.value!r} is not {' or '.join(known)}{meant(parsed.value, known)}"
    if key == "node.platform.arch" and parsed.value.lower() in _ARCHITECTURES:
        return f"nodes report this architecture as {_ARCHITECTURES[parsed.value.lower()]!r}"
    return ""


def _near_key(key: str) -> str:
    for wrong, right in (("node.label.", "node.labels."), ("engine.label.", "engine.labels.")):
        if key.lower().startswith(wrong):
            return f"; did you mean {right + key[len(wrong) :]!r}?"
    return meant(key.lower(), KEYS)


@rule("SW051", "constraint-unmet", Severity.ERROR, "no node meets the constraints")
def constraint_unmet(stack: Stack, swarm: Context) -> Iterator[Hit]:
    """Needs a snapshot: the tasks would stay pending."""
    if swarm.snapshot is None or not swarm.snapshot.swarm.nodes:
        return
    for service in stack.services:
        if not service.constraints or facts.eligible(service, swarm.snapshot):
            continue
        if any(stack.has_unset(path) for _, path in service.constraints):
            continue
        nodes = swarm.snapshot.nodes
        unmet = [
            (text, path)
            for text, path in service.constraints
            if not any(parse(text).holds(node) for node in nodes)
        ]
        for text, path in unmet:
            words = f"none of {count(len(nodes), 'node')} meets {text!r}"
            yield Hit(path, words + _near_value(text, swarm.snapshot), on_value=True)
        if not unmet:
            path = (*service.path, "deploy", "placement", "constraints")
            texts = ", ".join(text for text, _ in service.constraints)
            yield Hit(path, f"no node meets all of {texts}")


def _near_value(text: str, snapshot: Snapshot) -> str:
    parsed = parse(text)
    nodes = snapshot.nodes
    if parsed.key.lower() == "node.hostname":
        return meant(parsed.value, [node.hostname for node in nodes])
    if not parsed.key.lower().startswith(NODE_LABEL):
        return ""
    label = parsed.key[len(NODE_LABEL) :]
    values = {node.labels[label] for node in nodes if label in node.labels}
    if values:
        return f"; the label's values are {', '.join(sorted(values))}"
    return meant(label, {name for node in nodes for name in node.labels}) or "; no node has it"


@rule("SW052", "on-managers", Severity.INFO, "replicas may run on managers")
def on_managers(stack: Stack, swarm: Context) -> Iterator[Hit]:
    """A busy or full manager loses elections, and with quorum the whole Swarm."""
    managers = swarm.snapshot.swarm.managers if swarm.snapshot else ()
    active = [node for node in managers if node.availability == "active"]
    if swarm.snapshot and not active:
        return
    for service in stack.services:
        if service.is_global or facts.names_role(service) or facts.pin(service, swarm):
            continue
        if swarm.snapshot and facts.kept_off(service, swarm.snapshot):
            continue
        words = f"tasks of {service.name!r} may run on managers; add node.role == worker"
        required = facts.constraints(service)
        if active and not any(all(c.holds(node) for c in required) for node in active):
            continue
        placed = service.get("deploy", "placement") is not None
        path = (*service.path, "deploy", "placement") if placed else service.path
        severity = Severity.WARNING if swarm.snapshot else None
        yield Hit(path, words, severity=severity)


@rule("SW056", "preference", Severity.WARNING, "a placement preference that is ignored")
def preference(stack: Stack, swarm: Context) -> Iterator[Hit]:
    """Swarm spreads over labels only."""
    del swarm
    for service in stack.services:
        for index, spread in enumerate(_spreads(service)):
            if not spread.lower().startswith(LABELS):
                path = (*service.path, "deploy", "placement", "preferences", index, "spread")
                words = f"Swarm ignores the preference {spread!r}: it spreads over node.labels.… "
                yield Hit(path, words + "and engine.labels.… only", on_value=True)


def _spreads(service: Service) -> list[str]:
    entries = service.get("deploy", "placement", "preferences")
    listed = entries if isinstance(entries, list) else []
    return [str(e.get("spread", "")) if isinstance(e, dict) else "" for e in listed]
