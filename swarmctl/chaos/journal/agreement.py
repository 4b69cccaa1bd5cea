"""Whether the placement that was seen is one of those predicted: pure, over a journal's data."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from swarmctl.chaos.journal.journal import Agreement, Difference, Placement
from swarmctl.prediction.record import PredictionRecord


def compare(
    prediction: PredictionRecord, seen: Placement, left_out: Collection[str] = ()
) -> Agreement:
    """Compare a placement with a prediction's outcomes.

    Args:
        prediction: made before the fault.
        seen: replicas by service and node, of the services to compare.
        left_out: services that are not compared: what is left may differ, but proves no agreement.
    """
    outcomes = [_only(outcome.counts, seen) for outcome in prediction.outcomes]
    counts = _only(seen, seen)
    differs = counts not in outcomes
    differences = _differences(outcomes, counts) if differs else {}
    agrees = None if left_out and not differs else not differs
    return Agreement(agrees, prediction.exhaustive, differences, tuple(sorted(left_out)))


def _only(counts: Mapping[str, Mapping[str, int]], services: Mapping[str, object]) -> Placement:
    return {name: {node: n for node, n in counts.get(name, {}).items() if n} for name in services}


def _differences(outcomes: list[Placement], seen: Placement) -> dict[str, dict[str, Difference]]:
    found: dict[str, dict[str, Difference]] = {}
    for service, counts in seen.items():
        predicted = [outcome[service] for outcome in outcomes]
        if counts in predicted:
            continue
        of_service = found.setdefault(service, {})
        for node in sorted({*counts, *(node for per_node in predicted for node in per_node)}):
            numbers = [per_node.get(node, 0) for per_node in predicted] or [0]
            difference = Difference(counts.get(node, 0), min(numbers), max(numbers))
            if not difference.least <= difference.seen <= difference.most:
                of_service[node] = difference
    return found
