"""Nodes keep the availability that they had, whenever an upgrade is killed."""

from __future__ import annotations

import pytest

from swarmctl.errors import DeadlineExceededError
from swarmctl.moves.drain import activate, drain
from swarmctl.moves.earlier import EARLIER_LABEL, remember, stays_drained
from swarmctl.moves.plan import plan_drain
from swarmctl.swarm.node import Node
from swarmctl.swarm.snapshot import read_swarm
from swarmctl.upgrade.finish import finish
from tests.unit.moves.fake_swarm import Clients, DrainSwarm, context

ENGINE = "26.1.5"  # of the fake's nodes


@pytest.fixture
def fake() -> DrainSwarm:
    found = DrainSwarm()
    found.have("web", {"a": 2, "b": 1, "c": 1})
    # A Swarm without a leader is not healthy.
    found.machines.append(
        {**found.machines[0], "ID": "id-m", "Description": {"Hostname": "m", "Engine": {}},
         "Spec": {"Role": "manager", "Availability": "drain", "Labels": {}},
         "ManagerStatus": {"Leader": True, "Reachability": "reachable"}}
    )  # fmt: skip
    found.store["nodes"]["id-m"] = found.machines[-1]
    return found


def nodes(fake: DrainSwarm, *names: str) -> list[Node]:
    return [n for n in read_swarm(fake).nodes if n.hostname in names]


def set_availability(fake: DrainSwarm, name: str, availability: str) -> None:
    fake.store["nodes"][f"id-{name}"]["Spec"]["Availability"] = availability


@pytest.mark.parametrize("before", ["active", "pause", "drain"])
def test_a_node_gets_back_what_it_had(fake: DrainSwarm, before: str) -> None:
    set_availability(fake, "a", before)
    world = context(fake, Clients(fake))
    remember(nodes(fake, "a"), world)
    if not stays_drained(nodes(fake, "a")[0]):
        drain(plan_drain(read_swarm(fake), ["id-a"]), world)
    assert fake.availability("a") == "drain"

    remember(nodes(fake, "a"), world)  # a run after a kill: the first value counts
    finish({"id-a": ENGINE}, world)

    assert fake.availability("a") == before
    assert not any(key.startswith("swarmctl") for key in fake.labels("a"))


def test_what_an_operator_drained_without_loss_keeps_that_label(fake: DrainSwarm) -> None:
    world = context(fake, Clients(fake))
    drain(plan_drain(read_swarm(fake), ["id-a"]), world)
    remember(nodes(fake, "a"), world)
    finish({"id-a": ENGINE}, world)
    assert fake.availability("a") == "drain"
    assert "swarmctl.draining" in fake.labels("a")
    assert EARLIER_LABEL not in fake.labels("a")


def test_activate_forgets_what_was_remembered(fake: DrainSwarm) -> None:
    world = context(fake, Clients(fake))
    set_availability(fake, "a", "drain")
    remember(nodes(fake, "a"), world)
    assert activate(nodes(fake, "a"), world) == ("a",)
    assert fake.availability("a") == "active"
    assert EARLIER_LABEL not in fake.labels("a")
    assert activate(nodes(fake, "a"), world, as_before=True) == ()


def test_a_label_with_nonsense_is_written_anew(fake: DrainSwarm) -> None:
    fake.store["nodes"]["id-a"]["Spec"]["Labels"] = {EARLIER_LABEL: "asleep"}
    remember(nodes(fake, "a"), context(fake))
    assert fake.labels("a")[EARLIER_LABEL] == "active"


def test_a_node_with_the_old_engine_stays_drained(fake: DrainSwarm) -> None:
    world = context(fake, Clients(fake))
    remember(nodes(fake, "a"), world)
    drain(plan_drain(read_swarm(fake), ["id-a"]), world)
    with pytest.raises(DeadlineExceededError, match=r"a runs 26\.1\.5, not 29\.0\.1"):
        finish({"id-a": "29.0.1"}, world)
    assert fake.availability("a") == "drain"
    assert fake.labels("a")[EARLIER_LABEL] == "active"


def test_replicas_that_do_not_serve_afterwards_stop_the_upgrade(fake: DrainSwarm) -> None:
    world = context(fake, Clients(fake))
    fake.store["services"]["id-web"]["Spec"]["Mode"]["Replicated"]["Replicas"] = 5
    with pytest.raises(DeadlineExceededError, match="1 replicas of web do not serve"):
        finish({"id-a": ENGINE}, world)
    finish({"id-a": ENGINE}, world, ["web"])
