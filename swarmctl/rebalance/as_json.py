"""A rebalance as ``--format json`` prints it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from swarmctl.rebalance.execute import Result
from swarmctl.rebalance.plan import Proposal


def as_json(proposals: Iterable[Proposal], results: Mapping[str, Result]) -> dict[str, Any]:
    """One entry for each service.

    Args:
        proposals: the plan.
        results: what was done, by service id; empty for a dry run.
    """
    return {"services": [_service(proposal, results.get(proposal.id)) for proposal in proposals]}


def _service(proposal: Proposal, result: Result | None) -> dict[str, Any]:
    after = result.after if result else proposal.after
    return {
        "service": proposal.service,
        "stack": proposal.stack or None,
        "replicas": proposal.replicas,
        "left_alone": not proposal.before,
        "reason": proposal.reason or None,
        "before": dict(proposal.before),
        "after": dict(after),
        "spread_before": proposal.spread(proposal.before),
        "spread_after": proposal.spread(after),
        "moves": [{"from": move.source, "to": move.target} for move in proposal.moves],
        "moved": result.moved if result else 0,
        "least_running": result.fewest if result else None,
        "problem": (result.problem or None) if result else None,
    }
