"""Whether what was seen is what was predicted: pure functions over a journal's own data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swarmctl.chaos.journal.journal import Placement

Counts = Mapping[str, Mapping[str, int]]


def compare(prediction: Mapping[str, Any], seen: Placement) -> dict[str, Any]:
    """Compare a placement with a prediction's outcomes.

    Args:
        prediction: as ``swarmctl chaos predict --format json`` gives it.
        seen: replicas by service and node; the services that are compared.

    Returns:
        ``agrees``: whether it is one of the outcomes; ``exhaustive``: whether there are no others;
        ``differences``: by service and node, what was seen and the least and most predicted, where
        no outcome has what was seen.
    """
    outcomes = [_only(outcome["counts"], seen) for outcome in prediction["outcomes"]]
    plain = _only(seen, seen)
    return {
        "agrees": plain in outcomes,
        "exhaustive": prediction["exhaustive"],
        "differences": {} if plain in outcomes else _differences(outcomes, plain),
    }


def _only(counts: Counts, services: Mapping[str, object]) -> dict[str, dict[str, int]]:
    return {name: {node: n for node, n in counts.get(name, {}).items() if n} for name in services}


def _differences(
    outcomes: list[dict[str, dict[str, int]]], seen: dict[str, dict[str, int]]
) -> dict[str, dict[str, dict[str, int]]]:
    found: dict[str, dict[str, dict[str, int]]] = {}
    for service, counts in seen.items():
        if any(outcome[service] == counts for outcome in outcomes):
            continue
        nodes = {*counts, *(node for outcome in outcomes for node in outcome[service])}
        for node in sorted(nodes):
            predicted = [outcome[service].get(node, 0) for outcome in outcomes] or [0]
            count = counts.get(node, 0)
            if not min(predicted) <= count <= max(predicted):
                found.setdefault(service, {})[node] = {
                    "seen": count,
                    "least": min(predicted),
                    "most": max(predicted),
                }
        found.setdefault(service, {})
    return found
