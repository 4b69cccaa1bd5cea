"""Predictions for people and programs: which nodes are meant, and the JSON that comes out.

What Swarm does is in ``swarmctl.scheduler``; this only finds its input and names its output.
docs/prediction.md describes the forms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from swarmctl.errors import UsageError
from swarmctl.prediction.advice import Notice, warnings
from swarmctl.prediction.each import Risk
from swarmctl.prediction.predict import Bounds, Prediction, Predictor
from swarmctl.reading.names import unknown
from swarmctl.swarm.model import Node, Swarm

# The node label that the role swarm gives every node.
ZONE_LABEL = "az"


def choose(swarm: Swarm, names: Iterable[str], zone: str | None) -> list[str]:
    """The ids of the nodes to lose.

    Args:
        swarm: a snapshot.
        names: hostnames or ids; several may be in one, separated by commas.
        zone: an availability zone (label ``az``), whose every node is meant.

    Raises:
        UsageError: a node or zone is unknown.
    """
    wanted = [name.strip() for item in names for name in item.split(",") if name.strip()]
    chosen = [_find(swarm.nodes, name).id for name in wanted]
    if zone is not None:
        chosen += [node.id for node in _in_zone(swarm.nodes, zone)]
    return list(dict.fromkeys(chosen))


def _find(nodes: Sequence[Node], name: str) -> Node:
    """A node by name or id; among namesakes the one that is up."""
    found = [n for n in nodes if name in (n.name, n.id)] or [n for n in nodes if n.hostname == name]
    if not found:
        raise unknown("node", name, (n.name for n in nodes))
    up = [n for n in found if n.state != "down"]
    if len(up) > 1:
        listing = ", ".join(n.id for n in up)
        raise UsageError(f"several nodes are called {name!r}", f"give an id: {listing}")
    return (up or found)[0]


def _in_zone(nodes: Sequence[Node], zone: str) -> list[Node]:
    zones = {n.labels[ZONE_LABEL] for n in nodes if n.labels.get(ZONE_LABEL)}
    if not zones:
        raise UsageError(
            f"no node has a label {ZONE_LABEL!r}, so zones are unknown",
            f"docker node update --label-add {ZONE_LABEL}=ZONE NODE; playbooks/swarm.yml does so",
        )
    if zone not in zones:
        raise unknown("availability zone", zone, zones)
    return [n for n in nodes if n.labels.get(ZONE_LABEL) == zone]


def predict(
    swarm: Swarm, lost: Iterable[str], bounds: Bounds | None = None
) -> tuple[Prediction, tuple[Notice, ...]]:
    """What happens when nodes are lost, and what to know about it.

    Args:
        swarm: the Swarm before.
        lost: ids of nodes.
        bounds: of the search.
    """
    predictor = Predictor(swarm)
    prediction = predictor.predict(lost, bounds)
    return prediction, warnings(predictor, prediction)


def as_json(prediction: Prediction, notices: Iterable[Notice]) -> dict[str, Any]:
    """A prediction as ``--format json`` prints it and a journal keeps it."""
    loss = prediction.loss
    return {
        "lost": list(loss.nodes),
        "exhaustive": prediction.exhaustive,
        "seed": prediction.seed,
        "quorum": loss.quorum,
        "before": _plain(prediction.before),
        "moved": dict(loss.moved),
        "gone": {name: {"count": n, "why": why} for name, (n, why) in loss.gone.items()},
        "ended": dict(loss.ended),
        "outcomes": [
            {"counts": _plain(outcome.counts), "pending": dict(outcome.pending)}
            for outcome in prediction.outcomes
        ],
        "reasons": dict(prediction.reasons),
        "warnings": [
            {"kind": n.kind, "service": n.service, "node": n.node, "text": n.text} for n in notices
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
