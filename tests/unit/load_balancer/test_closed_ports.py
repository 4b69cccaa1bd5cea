"""Ports that only the load balancer reaches are no disagreement."""

from __future__ import annotations

from swarmctl.discovery.check.compare import compare
from swarmctl.http import Answer, Failure
from tests.unit.discovery.shop import NODES
from tests.unit.engine_json import swarm
from tests.unit.load_balancer.balanced import edition_of, http, runs

SHOP = swarm(
    NODES,
    [http("auth", "/auth/*")],
    [runs("auth", "wkr_1", 32768), runs("auth", "wkr_2", 32769, 2)],
)
LATE = Answer(3.0, None, Failure.LATE, "no answer within 3 s")
WELL = Answer(0.1, 200, None, "HTTP 200")


def failing(one: Answer, two: Answer, balanced: tuple[str, ...] | None = None) -> list[str]:
    found = edition_of(SHOP).catalogue
    answers = {"10.42.0.5:32768": one, "10.42.0.6:32769": two}
    every = compare(SHOP, found, (), answers, balanced)
    return [d.place for d in every if d.source == "request"]


def test_a_service_that_cannot_be_reached_from_here_at_all_is_left_to_the_load_balancer() -> None:
    """Broken: behind a load balancer, every check fails."""
    assert failing(LATE, LATE) == []


def test_one_that_may_be_reached_is_named_though_no_replica_answers() -> None:
    """Broken: a service of which every replica hangs looks like one with closed ports."""
    assert failing(LATE, LATE, balanced=()) == ["10.42.0.5:32768", "10.42.0.6:32769"]


def test_a_service_that_only_the_load_balancer_may_reach_is_not_judged_from_here() -> None:
    found = edition_of(SHOP).catalogue
    answers = {"10.42.0.5:32768": LATE, "10.42.0.6:32769": WELL}
    assert compare(SHOP, found, (), answers, balanced=("auth",)) == ()


def test_one_that_is_silent_while_another_answers_is_named() -> None:
    assert failing(LATE, WELL) == ["10.42.0.5:32768"]
    error = Answer(0.1, 503, None, "HTTP 503")
    assert failing(error, error) == ["10.42.0.5:32768", "10.42.0.6:32769"]
