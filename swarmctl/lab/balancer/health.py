"""The health of a target, check by check, and which targets get requests. Pure.

It runs on the load balancer's machine, too: the standard library alone.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

TRAFFIC_PORT = "traffic-port"  # of a check: the target's own
INITIAL, HEALTHY, UNHEALTHY = "initial", "healthy", "unhealthy"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one check; ``reason`` is ``""`` if it passed."""

    reason: str = ""
    description: str = ""


PASSED = Outcome()
TIMEOUT = Outcome("Target.Timeout", "Request timed out")
FAILED = Outcome("Target.FailedHealthChecks", "Health checks failed")


def answered(status: int, codes: str) -> Outcome:
    """The outcome of a check that got an answer; ``codes`` such as ``200,301-399`` pass."""
    for part in codes.split(","):
        low, _, high = part.partition("-")
        if int(low) <= status <= int(high or low):
            return PASSED
    return Outcome(
        "Target.ResponseCodeMismatch", f"Health checks failed with these codes: [{status}]"
    )


@dataclass(frozen=True, slots=True)
class Health:
    """A target's state, with the reason codes of DescribeTargetHealth."""

    state: str = INITIAL
    reason: str = "Elb.InitialHealthChecking"
    description: str = "Initial health checks in progress"
    passed: int = 0  # checks in a row
    failed: int = 0  # checks in a row


def after(health: Health, outcome: Outcome, healthy: int, unhealthy: int) -> Health:
    """The health after one more check.

    Args:
        health: the health before.
        outcome: of the check.
        healthy: the healthy threshold; a new target needs one passed check.
        unhealthy: the unhealthy threshold.
    """
    if outcome == PASSED:
        passed = health.passed + 1
        if health.state in (INITIAL, HEALTHY) or passed >= healthy:
            return Health(HEALTHY, "", "", passed)
        return replace(health, passed=passed, failed=0)
    failed = health.failed + 1
    if health.state == UNHEALTHY or failed >= unhealthy:
        return Health(UNHEALTHY, outcome.reason, outcome.description, failed=failed)
    return replace(health, passed=0, failed=failed)


def receiving(states: Mapping[str, str]) -> set[str]:
    """The targets that get requests; if none is healthy, all that are unhealthy (fail-open)."""
    found = {name for name, state in states.items() if state == HEALTHY}
    return found or {name for name, state in states.items() if state == UNHEALTHY}
