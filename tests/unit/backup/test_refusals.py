"""What may not be restored is refused before anything is touched, with words."""

from dataclasses import replace

import pytest

from swarmctl.backup.manifest import Object
from swarmctl.backup.refusals import Machine, other_cluster, refusals, release, target_of
from swarmctl.backup.restore import machine_of
from tests.unit.backup.made import NAME, NODE, SWARM, manifest

EMPTY = Machine("swarm_app_mgr2", "manager", "running", "10.42.1.4", engine="26.1.5+dfsg1")
OTHER = Machine("swarm_app_mgr1", "manager", "stopped", "10.42.0.4")
WORKER = Machine(
    "swarm_app_wkr1", "worker", "running", "10.42.0.9", engine="26.1.5", swarm_state="active"
)


def test_an_empty_manager_with_the_address_is_fit_while_workers_live() -> None:
    machines = (OTHER, EMPTY, WORKER)
    assert refusals(manifest(), machines) == ()
    assert target_of(manifest(), machines) == EMPTY


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"manager": True, "swarm_state": "active", "swarm_id": SWARM}, "a manager that lives"),
        ({"manager": True, "swarm_state": "active"}, "without a leader"),
        ({"swarm_state": "locked"}, "a manager that lives (locked"),
        ({"silent": "no answer"}, "runs but does not answer (no answer)"),
    ],
)
def test_a_manager_that_may_live_is_refused(other: dict[str, object], words: str) -> None:
    alive = replace(OTHER, state="running", **other)  # type: ignore[arg-type]
    (reason,) = refusals(manifest(), (alive, EMPTY))
    assert words in reason
    assert "Stop its instance" in reason


def test_a_worker_that_was_promoted_is_a_manager_that_lives() -> None:
    (reason,) = refusals(manifest(), (EMPTY, replace(WORKER, manager=True)))
    assert "swarm_app_wkr1 is a manager that lives" in reason


def test_another_address_is_refused_with_those_that_there_are() -> None:
    (reason,) = refusals(manifest(), (replace(EMPTY, address="10.42.1.7"),))
    assert "no running machine has 10.42.1.4" in reason
    assert "swarm_app_mgr2 (running): 10.42.1.7" in reason


def test_an_older_engine_is_refused_and_a_newer_one_is_not() -> None:
    (reason,) = refusals(manifest(), (replace(EMPTY, engine="20.10.24+dfsg1"),))
    assert "an older Engine may not read the state of a newer one" in reason
    assert refusals(manifest(), (replace(EMPTY, engine="28.0.1"),)) == ()
    assert release("26.1.5+dfsg1") == (26, 1)


def test_a_machine_without_an_engine_yet_is_fit() -> None:
    assert refusals(manifest(), (replace(EMPTY, engine=""),)) == ()


def test_a_target_that_is_in_a_swarm_is_refused_unless_this_restore_was_interrupted() -> None:
    half = replace(EMPTY, swarm_state="active", manager=True)
    (reason,) = refusals(manifest(), (half,))
    assert "its state would be overwritten" in reason
    assert refusals(manifest(), (replace(half, restored=NAME),)) == ()


def test_a_manager_that_joined_the_restored_swarm_is_no_reason_not_to_go_on() -> None:
    known = replace(manifest(), objects=(Object("node", "old", "swarm_app_mgr1", "x"),))
    leads = replace(EMPTY, swarm_state="active", manager=True, swarm_id=SWARM, restored=NAME)
    joined = replace(OTHER, state="running", manager=True, swarm_state="active", swarm_id=SWARM)
    assert refusals(known, (leads, replace(joined, node_id="new"))) == ()
    for other in (replace(joined, node_id="old"), replace(joined, node_id="new", swarm_id="")):
        (reason,) = refusals(known, (leads, other))
        assert "swarm_app_mgr1 is a manager that lives" in reason


def test_a_backup_of_another_cluster_or_swarm_is_refused() -> None:
    assert "of the cluster swarm_app, not of shop" in other_cluster(manifest(), "shop", "")
    assert "on record for swarm_app is abc" in other_cluster(manifest(), "swarm_app", "abc")
    assert other_cluster(manifest(), "swarm_app", SWARM) == ""
    assert other_cluster(manifest(), "swarm_app", "") == ""


def test_what_an_engine_tells_of_itself_is_read() -> None:
    known = ("m", "manager", "running", "10.42.1.4")
    info = (
        '{"ServerVersion": "26.1.5", "Swarm": {"LocalNodeState": "active", '
        f'"ControlAvailable": true, "NodeID": "{NODE}", "Cluster": {{"ID": "{SWARM}"}}}}}}'
    )
    found = machine_of(known, f"{info}\n{NAME}\n")
    assert (found.swarm_id, found.node_id, found.restored) == (SWARM, NODE, NAME)
    assert found.lives
    assert machine_of(known, "{}").swarm_state == "inactive"  # no Engine yet
    assert machine_of(known, "Segmentation fault").silent
