"""Predictions as JSON; docs/prediction.md describes the forms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from swarmctl.prediction.each import Risk
from swarmctl.prediction.prediction import Prediction


def as_json(prediction: Prediction) -> dict[str, Any]:
    """A prediction as ``--format json`` prints it and a journal keeps it."""
    loss = prediction.loss
    return {
        "lost": list(loss.nodes),
        "exhaustive": prediction.exhaustive,
        "seed": prediction.seed,
        "quorum": loss.quorum,
        "before": _plain(prediction.before),
        "moved": dict(loss.moved),
        "gone": {name: {"count": g.count, "why": str(g)} for name, g in loss.gone.items()},
        "ended": dict(loss.ended),
        "outcomes": [
            {"counts": _plain(outcome.counts), "pending": dict(outcome.pending)}
            for outcome in prediction.outcomes
        ],
        "reasons": prediction.reasons,
        "warnings": [
            {"kind": n.kind, "service": n.service, "node": n.node, "text": n.text}
            for n in prediction.warnings
        ],
    }


def _plain(counts: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    return {service: dict(per_node) for service, per_node in counts.items()}


def each_as_json(risks: Iterable[Risk]) -> dict[str, Any]:
    """``--each`` as JSON: one entry a node, worst first."""
    return {
        "nodes": [
            {
                "node": r.node,
                "role": r.role,
                "state": r.state,
                "affordable": r.affordable,
                "grade": r.grade,
                "tasks": r.tasks,
                "moved": r.moved,
                "pending": r.pending,
                "gone": r.gone,
                "down": list(r.down),
                "left_behind": list(r.left),
                "quorum": r.quorum,
                "reasons": r.why,
            }
            for r in risks
        ]
    }
