"""What the page draws of a snapshot."""

from __future__ import annotations

from dataclasses import replace

from swarmctl import colours
from swarmctl.web.changes import apply, changes
from swarmctl.web.document import LONGEST_TEXT, document, state_of
from tests.unit.web.simulated import killed, swarm, task


def test_replicas_of_a_dead_node_are_lost_and_their_successors_run() -> None:
    before = swarm(nodes=4, services=1, replicas=3)
    found = document(killed(before, "n1"))
    lost = [t for t in found["tasks"].values() if t["state"] == "lost"]
    assert [t["node"] for t in lost] == ["n1"]
    assert sum(t["state"] == "running" for t in found["tasks"].values()) == 3
    assert found["nodes"]["n1"]["state"] == "down"


def test_a_task_without_a_node_waits_and_says_why() -> None:
    before = swarm(nodes=2, services=1, replicas=1)
    waiting = replace(task("t9", "s0", 2, "", "pending"), error="no suitable node")
    found = document(replace(before, tasks=(*before.tasks, waiting)))
    assert found["tasks"]["t9"]["state"] == "waiting"
    assert found["tasks"]["t9"]["why"] == "no suitable node"


def test_only_the_last_failure_of_a_slot_is_shown_and_not_for_ever() -> None:
    before = swarm(nodes=2, services=1, replicas=1)
    failed = [
        replace(
            task(f"f{n}", "s0", 1, "n1", "failed"),
            desired_state="shutdown",
            error=f"exit {n}",
            created_at="2026-01-01T00:00:00Z",
            updated_at=f"2026-01-01T00:0{n}:00Z",
        )
        for n in range(3)
    ]
    soon = replace(before, tasks=(*before.tasks, *failed), taken_at="2026-01-01T00:03:00+00:00")
    shown = [t["why"] for t in document(soon)["tasks"].values() if t["state"] == "failed"]
    assert shown == ["exit 2"]
    later = replace(soon, taken_at="2026-01-01T00:30:00+00:00")
    assert "failed" not in {t["state"] for t in document(later)["tasks"].values()}


def test_a_replica_on_a_node_that_is_not_heard_from_is_unknown() -> None:
    before = swarm(nodes=2, services=1, replicas=1)
    silent = replace(before.nodes[1], state="unknown")
    assert state_of(before.tasks[0], silent) == "unknown"
    assert (
        state_of(replace(before.tasks[0], desired_state="shutdown"), before.nodes[1]) == "stopping"
    )


def test_absurdly_long_texts_are_cut() -> None:
    before = swarm(nodes=2, services=1, replicas=1)
    long = replace(before.services[0], name="x" * 10_000)
    (service,) = document(replace(before, services=(long,)))["services"].values()
    assert len(service["name"]) == LONGEST_TEXT


def test_applying_the_changes_gives_the_newer_document() -> None:
    before = document(swarm(nodes=4, services=2, replicas=3))
    after = document(killed(swarm(nodes=4, services=2, replicas=3), "n1"))
    change = changes(before, after)
    assert apply(before, change) == after
    assert set(change["nodes"]["set"]) == {"n1"}
    assert changes(after, after) == {}


def test_a_service_keeps_its_colour_when_another_one_comes() -> None:
    few = colours.places(["web", "api", "db"])
    more = colours.places(["web", "api", "db", "cache"])
    assert len(set(more.values())) == 4
    assert sum(few[name] != more[name] for name in few) <= 1
    assert set(colours.places(map(str, range(100))).values()) == set(range(len(colours.SERVICES)))
