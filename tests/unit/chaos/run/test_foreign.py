"""What others change in the Swarm during a run is told apart from what the fault does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarmctl.chaos.run.judging.foreign import Change, changes
from swarmctl.swarm.model import Port, Service, Swarm
from swarmctl.swarm.node import Node
from tests.unit.chaos.simulated_swarm import node, service

WEB, DB = service("web", 3), service("db", 1)
MGR, WKR = node("mgr1", "manager"), node("wkr1")
UPDATED = replace(WEB, task_spec={"ForceUpdate": 1})


@pytest.mark.parametrize(
    ("now", "found"),
    [
        ([DB, WEB], ()),
        ([WEB], (Change("service db was removed"),)),
        ([WEB, DB, service("hub", 1)], (Change("service hub was created"),)),
        ([replace(WEB, replicas=5), DB], (Change("web was scaled from 3 to 5"),)),
        (
            [replace(WEB, image="httpd:2.5"), DB],
            (Change("web was updated (httpd:2.4 → httpd:2.5)", updated="web"),),
        ),
        ([UPDATED, DB], (Change("web was updated", updated="web"),)),
        (
            [replace(UPDATED, replicas=1, labels={}), DB],
            (Change("web was scaled from 3 to 1"), Change("web was updated", updated="web")),
        ),
        ([replace(WEB, labels={}), DB], (Change("labels or ports of web were changed"),)),
        (
            [replace(WEB, ports=(Port("tcp", 80, 80, "host"),)), DB],
            (Change("labels or ports of web were changed"),),
        ),
    ],
)
def test_a_change_of_a_service_is_named(now: list[Service], found: tuple[Change, ...]) -> None:
    assert changes(Swarm((), (WEB, DB), ()), Swarm((), tuple(now), ()), ()) == found


def test_what_the_engine_adds_to_a_spec_by_itself_is_no_update() -> None:
    old = replace(WEB, task_spec={"ForceUpdate": 0})
    new = replace(WEB, task_spec={"ForceUpdate": 0, "Runtime": "container"})
    assert changes(Swarm((), (old,), ()), Swarm((), (new,), ()), ()) == ()


@pytest.mark.parametrize(
    ("now", "found"),
    [
        ([WKR, MGR], ()),
        ([MGR], (Change("wkr1 was removed from the Swarm"),)),
        ([MGR, WKR, node("wkr2")], (Change("wkr2 joined the Swarm"),)),
        (
            [MGR, replace(WKR, state="down")],
            (Change("wkr1 went from ready to down", is_state=True),),
        ),
        ([MGR, replace(WKR, availability="drain")], (Change("wkr1 was set to drain"),)),
        (
            [MGR, replace(WKR, role="manager", reachability="reachable")],
            (Change("wkr1 became a manager"),),
        ),
        ([MGR, replace(WKR, labels={"a": "b"})], (Change("labels of wkr1 were changed"),)),
        (
            [replace(MGR, reachability="unreachable"), WKR],
            (Change("manager mgr1 became unreachable"),),
        ),
        (
            [replace(MGR, reachability="unreachable", state="down"), WKR],
            (Change("mgr1 went from ready to down", is_state=True),),
        ),
    ],
)
def test_a_change_of_a_node_is_named_unless_it_is_a_target(
    now: list[Node], found: tuple[Change, ...]
) -> None:
    before, after = Swarm((MGR, WKR), (), ()), Swarm(tuple(now), (), ())
    assert changes(before, after, ()) == found
    assert changes(before, after, {"mgr1", "wkr1", "wkr2"}) == ()


@pytest.mark.parametrize(("now", "word"), [("reachable", "reachable"), ("", "a worker")])
def test_a_manager_that_was_unreachable_says_what_it_is_now(now: str, word: str) -> None:
    before = Swarm((replace(MGR, reachability="unreachable"),), (), ())
    after = Swarm((replace(MGR, reachability=now),), (), ())
    assert changes(before, after, ()) == (Change(f"manager mgr1 became {word}"),)
