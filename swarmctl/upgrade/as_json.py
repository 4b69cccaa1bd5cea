"""The plan of an upgrade as ``--format json`` prints it; the form is stable::

{"version": 1, "steps": [{"nodes": [NAME], "begun": [NAME], "moves": {SERVICE: N},
                          "after": {SERVICE: {NAME: N}}}],   # one of the possible outcomes
 "current": [NAME], "objections": [TEXT], "remarks": [TEXT], "short": [SERVICE],
 "lines": [TEXT]}   # the same as the table, for whoever shows it
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from swarmctl.upgrade.plan import Step, UpgradePlan


def as_json(plan: UpgradePlan, lines: Sequence[str] = ()) -> dict[str, Any]:
    """The plan, and the lines of its table."""
    return {
        "version": 1,
        "steps": [_step(step) for step in plan.steps],
        "current": list(plan.current),
        "objections": list(plan.objections),
        "remarks": list(plan.remarks),
        "short": list(plan.short),
        "lines": list(lines),
    }


def _step(step: Step) -> dict[str, Any]:
    prediction = step.drain.prediction
    after = prediction.outcomes[0].counts if prediction.outcomes else {}
    return {
        "nodes": [node.name for node in step.nodes],
        "begun": list(step.begun),
        "moves": dict(prediction.loss.moved),
        "after": {name: dict(after.get(name, {})) for name in prediction.loss.moved},
    }
