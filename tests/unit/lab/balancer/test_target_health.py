"""What checks make of a target's health, and which targets get requests."""

from __future__ import annotations

import pytest

from swarmctl.lab.balancer.health import (
    FAILED,
    PASSED,
    TIMEOUT,
    Health,
    Outcome,
    after,
    answered,
    receiving,
)
from swarmctl.lab.balancer.targets import (
    DRAINING,
    NOT_IN_USE,
    OTHER_ZONE,
    REGISTERING,
    STOPPED,
    Registration,
    Registrations,
    Report,
    Status,
    status,
)


def states(*outcomes: Outcome) -> list[str]:
    health, found = Health(), list[str]()
    for outcome in outcomes:
        health = after(health, outcome, healthy=3, unhealthy=2)
        found.append(health.state)
    return found


def test_one_passed_check_makes_a_new_target_healthy() -> None:
    assert states(PASSED) == ["healthy"]
    assert states(FAILED, PASSED) == ["initial", "healthy"]


def test_a_target_fails_and_recovers_after_its_thresholds() -> None:
    assert states(PASSED, FAILED, PASSED, FAILED, FAILED) == ["healthy"] * 4 + ["unhealthy"]
    assert states(FAILED, FAILED, PASSED, PASSED, FAILED, PASSED, PASSED, PASSED) == [
        "initial", *["unhealthy"] * 6, "healthy"
    ]  # fmt: skip


def test_the_reason_is_that_of_the_last_failed_check() -> None:
    health = Health()
    for outcome in (FAILED, FAILED, TIMEOUT):
        health = after(health, outcome, healthy=3, unhealthy=2)
    assert (health.state, health.reason) == ("unhealthy", "Target.Timeout")


@pytest.mark.parametrize(
    ("status", "codes", "passes"),
    [(200, "200", True), (204, "200", False), (301, "200,300-399", True), (400, "200-399", False)],
)
def test_the_matcher_takes_codes_and_ranges(status: int, codes: str, passes: bool) -> None:
    outcome = answered(status, codes)
    assert (outcome == PASSED) is passes
    if not passes:
        assert outcome.description == f"Health checks failed with these codes: [{status}]"


def test_requests_go_to_healthy_targets_and_if_there_are_none_to_all_unhealthy_ones() -> None:
    assert receiving({"a": "healthy", "b": "unhealthy", "c": "initial"}) == {"a"}
    assert receiving({"a": "unhealthy", "b": "unhealthy", "c": "initial"}) == {"a", "b"}
    assert receiving({"c": "initial"}) == set()


def test_a_deregistered_target_drains_for_the_delay_and_is_gone() -> None:
    found = Registrations()
    found.add([("i-1", 80), ("i-1", 81)], 100.0)
    for _ in range(2):  # the second does not start the delay again
        found.drain(["i-1:80", "i-9:80"], 110.0, 30.0)
        assert [(r.name, r.drains_until) for r in found.now(111.0)] == [
            ("i-1:80", 140.0), ("i-1:81", 0.0)
        ]  # fmt: skip
    assert [r.name for r in found.now(140.0)] == ["i-1:81"]


def test_a_target_registered_again_keeps_its_health_unless_it_was_draining() -> None:
    found = Registrations()
    found.add([("i-1", 80)], 100.0)
    found.add([("i-1", 80)], 105.0)
    assert [r.since for r in found.now(106.0)] == [100.0]
    found.drain(["i-1:80"], 110.0, 30.0)
    found.add([("i-1", 80)], 115.0)
    assert [(r.since, r.drains_until) for r in found.now(116.0)] == [(115.0, 0.0)]


def test_each_reason_of_aws_has_its_case() -> None:
    target = Registration("i-1", 80, 100.0)
    healthy = Status("healthy")

    def seen(
        target: Registration = target,
        *,
        used: bool = True,
        instance: tuple[str, str] = ("running", "a"),
        since: float = 100.0,
    ) -> Status:
        reports = {"i-1:80": Report(since, healthy)}
        return status(target, used=used, zones=("a", "b"), instance=instance, reports=reports)

    assert seen() == healthy
    assert seen(since=90.0) == REGISTERING  # a report of its earlier registration
    assert seen(used=False) == NOT_IN_USE
    assert seen(instance=("stopped", "a")) == STOPPED
    assert seen(instance=("running", "c")) == OTHER_ZONE
    assert seen(Registration("i-1", 80, 100.0, drains_until=200.0)) == DRAINING
