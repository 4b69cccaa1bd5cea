"""What a plan will do, in one sentence."""

from __future__ import annotations

from swarmctl.chaos.fault.kind import Effect
from swarmctl.chaos.fault.selection import Selection
from swarmctl.chaos.faults import FAULTS
from swarmctl.chaos.plan.plan import Plan
from swarmctl.chaos.probes.planned import FixedProbe


def summarise(plan: Plan) -> str:
    """What the plan will do, and what it expects.

    Raises:
        UsageError: there is no such fault.
    """
    what = "task" if FAULTS[plan.fault].effect is Effect.TASKS else "node"
    parts = [f"{plan.fault} of {_each(plan, what) if plan.rolling else _targets(plan, what)}"]
    if plan.duration_s:
        parts.append(f" for at least {plan.duration_s:g} s")
    if plan.repeat > 1:
        parts.append(f", {plan.repeat} times")
    if plan.every_s:
        parts.append(f", {plan.every_s:g} s from start to start")
    if plan.limits.window:
        parts.append(f", only {plan.limits.window}")
    fixed = [p for p in plan.probes if isinstance(p, FixedProbe)]
    if fixed:
        listed = ", ".join(f"{p.name} every {p.every_s:g} s ({p.probe.address})" for p in fixed)
        parts.append(f"; probes {listed}")
    return f"{''.join(parts)}; expects that {plan.hypothesis}"


def _targets(plan: Plan, what: str) -> str:
    chosen = plan.selection
    service = f" of {chosen.service}" if chosen.service and what == "task" else ""
    if chosen.names:
        names = ", ".join(chosen.names)
        return f"{_size(chosen, what)}{service} on {names}" if what == "task" else names
    if chosen.leader and what == "node":
        return "the leader"
    seed = "" if chosen.seed is None or not chosen.drawn else f" (seed {chosen.seed})"
    return f"{_size(chosen, what)}{service}{_filters(chosen)}{seed}"


def _each(plan: Plan, what: str) -> str:
    names = ", ".join(plan.selection.names)
    return f"{names or f'every {what}{_filters(plan.selection)}'}, one after the other"


def _size(chosen: Selection, what: str) -> str:
    if chosen.percent == 100:
        return f"every {what}"
    if chosen.percent is not None:
        return f"{chosen.percent:g} % of the {what}s"
    count = chosen.count or 1
    return f"{count} {what}{'s' if count > 1 else ''}"


def _filters(chosen: Selection) -> str:
    found = [f"{name}={value}" for name, value in chosen.labels.items()]
    found += [f"zone {chosen.zone}"] if chosen.zone else []
    found += ["the leader"] if chosen.leader else []
    found += [f"role {chosen.role}"] if chosen.role else []
    found += [f"hosting {chosen.hosts}"] if chosen.hosts else []
    return f" ({', '.join(found)})" if found else ""
