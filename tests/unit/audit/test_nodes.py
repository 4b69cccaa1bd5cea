"""Checks of nodes and managers: what fails, what passes, and what cannot be known."""

from __future__ import annotations

from datetime import timedelta

import pytest

from swarmctl.audit.checks import autolock, ca_rotation, certificates, disk, managers, nodes
from swarmctl.audit.facts import NodeFacts, Space
from tests.unit.audit.audited import NOW, facts, found
from tests.unit.scheduler.swarms import Raw, node, swarm

ONE = swarm([node("m1", role="manager", leader=True)], [])
LIFE = timedelta(days=90)
LATE = "12:00 UTC, and its renewal is late"
GIB = 1 << 30


def with_days(left: float) -> NodeFacts:
    """A node whose certificate ends in so many days."""
    end = NOW + timedelta(days=left)
    return NodeFacts(certificate=(end - LIFE, end))


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (with_days(60), []),
        (with_days(17), [(True, f"w1: its certificate ends 2026-02-17 {LATE}")]),
        (with_days(4), [(False, f"w1: its certificate ends 2026-02-04 {LATE}")]),
        (with_days(-1), [(False, "w1: its certificate ended 2026-01-30 12:00 UTC")]),
        (NodeFacts(), [(None, "w1: its certificate could not be read")]),
    ],
)
def test_a_certificate_that_is_not_renewed(
    told: NodeFacts, expected: list[tuple[bool | None, str]]
) -> None:
    assert found(certificates, facts(ONE, nodes={"w1": told})) == expected


def test_a_silent_node_is_named_and_not_taken_for_well() -> None:
    silent = facts(ONE, silent={"w1": "w1: no answer"})
    assert found(certificates, silent) == [(None, "w1: not known: w1: no answer")]
    assert found(disk, silent) == [(None, "w1: not known: w1: no answer")]


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (NodeFacts(disk=Space(20 * GIB, 40 * GIB)), []),
        (NodeFacts(disk=Space(3 * GIB, 40 * GIB)), [(True, "w1: 3.0 GiB free (8%)")]),
        (NodeFacts(disk=Space(20 * GIB, 500 * GIB)), [(False, "w1: 20.0 GiB free (4%)")]),
        (NodeFacts(disk=Space(GIB // 2, 2 * GIB)), [(False, "w1: 0.5 GiB free (25%)")]),
        (
            NodeFacts(disk=Space(20 * GIB, 40 * GIB), inodes=Space(1, 100)),
            [(False, "w1: 1 of 100 inodes free")],
        ),
        (NodeFacts(), [(None, "w1: it did not tell its free space")]),
    ],
)
def test_room_on_the_disk(told: NodeFacts, expected: list[tuple[bool | None, str]]) -> None:
    assert found(disk, facts(ONE, nodes={"w1": told})) == expected


def two(worker: str = "ready") -> Raw:
    return swarm([node("m1", role="manager"), node("w1", state=worker)], [])


def test_a_ca_rotation_is_stuck_if_a_node_is_down_that_still_has_the_old_root() -> None:
    old = {"issuer": "new", "issuers": {"id-m1": "new", "id-w1": "old"}}
    stuck = "a CA rotation is stuck: w1 is down, with an old certificate"
    assert found(ca_rotation, facts(two("down"), rotation=True, **old)) == [(False, stuck)]
    waits = "a CA rotation is under way; it waits for w1"
    assert found(ca_rotation, facts(two(), rotation=True, **old)) == [(True, waits)]
    foreign = "w1: its certificate is of another root than the managers'"
    assert found(ca_rotation, facts(two(), rotation=False, **old)) == [(False, foreign)]


def test_one_root_certificate_or_none_that_is_known() -> None:
    same = {"issuer": "new", "issuers": {"id-m1": "new", "id-w1": ""}}
    assert found(ca_rotation, facts(two(), rotation=False, **same)) == []
    assert found(ca_rotation, facts(two())) == [
        (None, "the managers do not tell about their root certificate")
    ]


@pytest.mark.parametrize(
    ("locked", "stored", "ok"),
    [
        (False, None, []),
        (True, True, []),
        (True, False, [False]),
        (True, None, [None]),
        (None, None, [None]),
    ],
)
def test_autolocked_managers_need_a_key_that_somebody_has(
    locked: bool | None, stored: bool | None, ok: list[bool | None]
) -> None:
    given = facts(ONE, autolock=locked, unlock_key_stored=stored)
    assert [found_ok for found_ok, _ in found(autolock, given)] == ok


NOTHING = "if one is lost, nothing is replaced"


def managed(*reachability: str) -> Raw:
    return swarm(
        [
            node(f"m{i}", role="manager", leader=i == 0, reachability=how)
            for i, how in enumerate(reachability)
        ],
        [],
    )


def test_three_managers_bear_the_loss_of_one() -> None:
    assert found(managers, facts(managed("reachable", "reachable", "reachable"))) == []


@pytest.mark.parametrize(
    ("reachability", "expected"),
    [
        (["reachable"], [(False, "1 of 1 manager reachable, 1 needed")]),
        (
            ["reachable", "reachable", "unreachable"],
            [
                (False, "m2 is unreachable: it counts for the majority"),
                (False, "2 of 3 managers reachable, 2 needed"),
            ],
        ),
        (["reachable"] * 2, [(False, "2 of 2 managers reachable, 2 needed")]),
        (["reachable"] * 4, [(True, "4 managers can lose no more than 3 can")]),
        ([], [(None, "the snapshot shows no managers")]),
    ],
)
def test_too_few_managers(reachability: list[str], expected: list[tuple[bool | None, str]]) -> None:
    lines = found(managers, facts(managed(*reachability)))
    short = [(ok, detail.removesuffix(f": {NOTHING}")) for ok, detail in lines]
    assert short == expected


def test_a_node_that_is_down_is_to_be_started_or_removed() -> None:
    assert found(nodes, facts(two())) == []
    assert found(nodes, facts(two("down"))) == [(True, "w1 is down")]
