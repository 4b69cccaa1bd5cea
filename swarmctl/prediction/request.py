"""Predictions for people and programs: which nodes are meant, and the JSON that comes out.

What Swarm does is in ``swarmctl.scheduler``; this only finds its input and names its output.
docs/prediction.md describes the forms.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swarmctl.errors import UsageError
from swarmctl.prediction.advice import Notice, warnings
from swarmctl.prediction.each import Risk
from swarmctl.prediction.predict import Bounds, Prediction, Predictor
from swarmctl.reading.names import unknown
from swarmctl.scheduler.snapshot import Node, Snapshot, SnapshotError, parse_snapshot

if TYPE_CHECKING:
    from swarmctl.swarm.client import SwarmClient

# The node label that the role swarm gives every node.
ZONE_LABEL = "az"

PARTS = ("nodes", "services", "tasks", "networks")


def take_snapshot(client: SwarmClient) -> dict[str, Any]:
    """Everything a prediction needs, as the Engine API gives it.

    Args:
        client: of a manager.

    Returns:
        The Engine's own JSON under ``nodes``, ``services``, ``tasks`` and ``networks``, and the
        time under ``taken_at`` (RFC 3339).

    Raises:
        ManagerError: the manager does not answer.
    """
    taken_at = datetime.now(UTC).isoformat()
    raw = client.raw_snapshot()
    networks = client.ask(client.docker.api.networks)
    return {**raw, "networks": networks, "taken_at": taken_at}


def load_snapshot(path: Path) -> Snapshot:
    """Read a file that ``swarmctl snapshot`` wrote.

    Raises:
        UsageError: it cannot be read or is no snapshot; says which key, and what is expected.
    """
    try:
        raw = json.loads(path.read_bytes())
    except OSError as fault:
        hint = "make one: swarmctl snapshot -o FILE"
        raise UsageError(f"cannot read {path}: {fault.strerror}", hint) from fault
    except UnicodeDecodeError as fault:
        raise UsageError(f"{path}: not JSON: it is not text", _FORM) from fault
    except json.JSONDecodeError as fault:
        raise UsageError(f"{path}:{fault.lineno}: not JSON: {fault.msg}", _FORM) from fault
    return read_snapshot(raw, str(path))


_FORM = (
    'expected is {"nodes": […], "services": […], "tasks": […], "networks": […]}, '
    "as `swarmctl snapshot -o FILE` writes it"
)


def read_snapshot(raw: object, source: str) -> Snapshot:
    """Parse a snapshot.

    Args:
        raw: parsed JSON.
        source: where it is from, for errors.

    Raises:
        UsageError: a key is missing or wrong.
    """
    try:
        return parse_snapshot(raw)
    except SnapshotError as fault:
        raise UsageError(f"{source}: {fault}", _FORM) from fault


def choose(snapshot: Snapshot, names: Iterable[str], zone: str | None) -> list[str]:
    """The ids of the nodes to lose.

    Args:
        snapshot: of the Swarm.
        names: hostnames or ids; several may be in one, separated by commas.
        zone: an availability zone (label ``az``), whose every node is meant.

    Raises:
        UsageError: a node or zone is unknown.
    """
    wanted = [name.strip() for item in names for name in item.split(",") if name.strip()]
    chosen = [_find(snapshot.nodes, name).id for name in wanted]
    if zone is not None:
        chosen += [node.id for node in _in_zone(snapshot.nodes, zone)]
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
    snapshot: Snapshot, lost: Iterable[str], bounds: Bounds | None = None
) -> tuple[Prediction, tuple[Notice, ...]]:
    """What happens when nodes are lost, and what to know about it.

    Args:
        snapshot: of the Swarm before.
        lost: ids of nodes.
        bounds: of the search.
    """
    predictor = Predictor(snapshot)
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
