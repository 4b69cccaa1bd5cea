"""A drain as ``--format json`` prints it; the form is stable::

{"version": 1, "nodes": [NAME], "endpoints": N, "first_elsewhere": [SERVICE],
 "objections": [TEXT], "remarks": [TEXT], "prediction": {…},   # as chaos predict prints it
 "done": null | {"waited_seconds": N, "tasks_left": N, "missing": {SERVICE: N}}}
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from swarmctl.moves.drain import Drained
from swarmctl.moves.plan import DrainPlan
from swarmctl.prediction.record import record


def as_json(plan: DrainPlan, done: Drained | None) -> dict[str, Any]:
    """The plan, and what was done."""
    return {
        "version": 1,
        "nodes": [node.name for node in plan.nodes],
        "endpoints": len(plan.endpoints),
        "first_elsewhere": list(plan.first_elsewhere),
        "objections": list(plan.objections),
        "remarks": list(plan.remarks),
        "prediction": asdict(record(plan.prediction)),
        "done": _done(done) if done else None,
    }


def _done(done: Drained) -> dict[str, Any]:
    return {
        "waited_seconds": done.waited,
        "tasks_left": done.left,
        "missing": dict(done.missing),
    }
