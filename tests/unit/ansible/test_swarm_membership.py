"""A Swarm is founded only when it is certain that none exists; else the run says why it stops."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.ansible.filters import load_filters

filters = load_filters("swarm", "swarm_membership")
MANAGERS = ["c_mgr1", "c_mgr2", "c_mgr3"]
NODES = [*MANAGERS, "c_wkr1"]


def info(state: str = "inactive", cluster: str | None = None, **more: Any) -> dict[str, Any]:
    """``docker info`` of a node; with ``cluster`` it is a manager, "" meaning without a leader."""
    swarm: dict[str, Any] = {"LocalNodeState": state, "ControlAvailable": False, "NodeID": ""}
    if cluster is not None:
        swarm |= {"LocalNodeState": "active", "ControlAvailable": True, "Cluster": {"ID": cluster}}
    return {"Swarm": swarm | more}


def decide(infos: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The decision for three planned managers and a worker, with changes."""
    arguments: dict[str, Any] = {
        "play_hosts": NODES,
        "members": NODES,
        "managers": MANAGERS,
        "record": None,
    } | changes
    found: dict[str, Any] = filters.swarm_membership(infos, **arguments)
    return found


def everywhere(state: dict[str, Any]) -> dict[str, Any]:
    return dict.fromkeys(NODES, state)


def test_a_swarm_is_founded_on_the_first_manager_when_no_node_is_in_one() -> None:
    found = decide(everywhere(info()))
    assert (found["id"], found["leader"], found["errors"]) == ("", "c_mgr1", [])


def test_a_manager_of_the_swarm_is_asked() -> None:
    infos = everywhere(info()) | {"c_mgr2": info(cluster="abc", NodeAddr="10.0.0.2")}
    found = decide(infos, record="abc")
    assert found == {"id": "abc", "leader": "c_mgr2", "address": "10.0.0.2", "errors": []}


def test_a_manager_inside_the_run_is_preferred() -> None:
    infos = {host: info(cluster="abc") for host in MANAGERS}
    assert decide(infos, play_hosts=["c_mgr3"])["leader"] == "c_mgr3"
    assert decide(infos, play_hosts=["c_wkr1"])["leader"] == "c_mgr1"


@pytest.mark.parametrize("record", [None, "", "abc"])
@pytest.mark.parametrize("start_anew", [False, True])
def test_managers_without_a_leader_stop_the_run(record: str | None, start_anew: bool) -> None:
    infos = {host: info(cluster="", Error="The swarm does not have a leader") for host in MANAGERS}
    found = decide(infos | {"c_wkr1": info("active")}, record=record, start_anew=start_anew)
    (error,) = found["errors"]
    assert "c_mgr1, c_mgr2, c_mgr3" in error
    assert "The swarm does not have a leader" in error
    assert "2377" in error
    assert found["id"] == ""


def test_one_manager_cut_off_from_the_leader_stops_the_run() -> None:
    infos = {host: info(cluster="abc") for host in MANAGERS[:2]} | {"c_mgr3": info(cluster="")}
    (error,) = decide(infos)["errors"]
    assert error.startswith("c_mgr3: ")


def test_managers_of_different_swarms_stop_the_run() -> None:
    infos = {"c_mgr1": info(cluster="abc"), "c_mgr2": info(cluster="def")}
    (error,) = decide(infos)["errors"]
    assert "c_mgr1 in abc, c_mgr2 in def" in error


def test_another_swarm_than_the_recorded_one_stops_the_run() -> None:
    (error,) = decide({"c_mgr1": info(cluster="abc")}, record="def")["errors"]
    assert "abc" in error
    assert "def" in error
    assert decide({"c_mgr1": info(cluster="abc")}, record="")["errors"] == []


@pytest.mark.parametrize("record", ["abc", ""])
def test_a_recorded_swarm_is_not_replaced_unless_asked(record: str) -> None:
    (error,) = decide(everywhere(info()), record=record)["errors"]
    assert "swarm_start_anew=true" in error
    assert decide(everywhere(info()), record=record, start_anew=True)["errors"] == []


@pytest.mark.parametrize("record", [None, "abc"])
@pytest.mark.parametrize("start_anew", [False, True])
@pytest.mark.parametrize("answered", [[], ["c_mgr1"], ["c_wkr1"], ["c_mgr1", "c_mgr2", "c_wkr1"]])
def test_the_destructive_variable_is_never_advised_before_every_manager_answered(
    answered: list[str], record: str | None, start_anew: bool
) -> None:
    infos = dict.fromkeys(answered, info())
    (error,) = decide(infos, record=record, start_anew=start_anew)["errors"]
    assert "did not answer" in error
    assert "c_mgr3" in error
    assert "swarm_start_anew" not in error


def test_a_limited_run_names_the_nodes_that_founding_needs() -> None:
    (error,) = decide(everywhere(info()), play_hosts=["c_wkr1"])["errors"]
    assert "add c_mgr1, c_mgr2, c_mgr3 to --limit" in error
    assert "swarm_start_anew" not in error


def test_a_worker_in_a_swarm_keeps_a_new_one_from_being_founded() -> None:
    (error,) = decide(everywhere(info()) | {"c_wkr1": info("active")})["errors"]
    assert "c_wkr1" in error
    assert "swarm_start_anew" not in error


def test_a_locked_node_stops_the_run() -> None:
    infos = {"c_mgr1": info(cluster="abc"), "c_mgr2": info("locked", Error="it is encrypted")}
    (error,) = decide(infos)["errors"]
    assert error.startswith("c_mgr2 is locked (it is encrypted)")
    assert decide(infos, play_hosts=["c_mgr1"])["errors"] == [], "it is outside this run"


def node(identifier: str, role: str = "worker", state: str = "ready") -> dict[str, Any]:
    return {"ID": identifier, "Spec": {"Role": role}, "Status": {"State": state}}


def test_members_are_ready_in_this_swarm_and_in_their_role() -> None:
    infos = {host: info("active", NodeID=host) for host in NODES}
    good = [*(node(host, "manager") for host in MANAGERS), node("c_wkr1")]
    assert filters.swarm_node_errors(good, infos, MANAGERS) == []
    bad = [node("c_mgr1", "worker"), node("c_mgr2", "manager", "down"), node("c_wkr1", "manager")]
    errors = {e.split(" ")[0]: e for e in filters.swarm_node_errors(bad, infos, MANAGERS)}
    assert sorted(errors) == NODES
    assert "docker node promote c_mgr1" in errors["c_mgr1"]
    assert "not ready" in errors["c_mgr2"]
    assert "another Swarm" in errors["c_mgr3"]
    assert "docker node demote c_wkr1" in errors["c_wkr1"]
    assert filters.swarm_strangers(bad, infos) == [errors["c_mgr3"]]


def test_nodes_that_are_in_no_swarm_are_not_judged() -> None:
    assert filters.swarm_node_errors([], {"c_wkr1": info()}, MANAGERS) == []
    assert filters.swarm_strangers([], {"c_wkr1": info()}) == []


@pytest.mark.parametrize("state", ["error", "pending"])
def test_a_node_that_failed_to_join_may_try_anew_once_a_swarm_is_certain(state: str) -> None:
    failed = {"c_wkr1": info(state, Error="context deadline exceeded")}
    members = {host: info(cluster="abc") for host in MANAGERS}
    assert decide(members | failed)["errors"] == []
    (error,) = decide(everywhere(info()) | failed)["errors"]
    assert f"c_wkr1 is {state} (context deadline exceeded)" in error


def named(host: str, identifier: str, role: str, state: str = "down") -> dict[str, Any]:
    return node(identifier, role, state) | {"Description": {"Hostname": host}}


def test_a_member_with_another_name_in_the_swarm_is_named() -> None:
    nodes = [named("c_mgr1", "1", "manager"), named("oak", "2", "worker"), named("", "3", "worker")]
    infos = {
        "c_mgr1": info("active", NodeID="1"), "c_wkr1": info("active", NodeID="2"),
        "c_wkr2": info(), "c_wkr3": info("active", NodeID="3"),
    }  # fmt: skip
    (error,) = filters.swarm_other_names(nodes, infos)
    assert error.startswith("c_wkr1 is called oak in the Swarm")


def test_a_failed_manager_that_the_swarm_counts_is_not_told_to_leave() -> None:
    nodes = [named("c_mgr1", "1", "manager"), named("c_wkr1", "2", "worker")]
    infos = {"c_mgr1": info("error", Error="x"), "c_wkr1": info("error"), "c_mgr2": info("error")}
    (error,) = filters.swarm_broken_managers(nodes, infos)
    assert error.startswith("c_mgr1 is error (x), and its Swarm counts it as a manager")
    assert filters.swarm_broken_managers(nodes, {"c_mgr1": info("active")}) == []
    (unknown,) = filters.swarm_broken_managers([], infos)
    assert unknown.startswith("no manager says whom the Swarm counts")


def test_only_the_old_entry_of_a_worker_that_joined_anew_is_removed() -> None:
    infos = {"c_wkr1": info("active", NodeID="new"), "c_wkr2": info("active", NodeID="same")}
    nodes = [
        named("c_wkr1", "old", "worker"),
        named("c_wkr1", "up", "worker", "ready"),
        named("c_wkr1", "mgr", "manager"),
        named("c_wkr2", "same", "worker"),
        named("c_wkr3", "other", "worker"),
    ]
    assert filters.swarm_left_behind(nodes, infos) == ["old"]
    assert filters.swarm_left_behind(nodes, {"c_wkr1": info()}) == [], "it has not joined anew"


def test_a_node_that_did_not_get_in_has_the_reason_of_its_last_attempt() -> None:
    infos = {"c_mgr1": info("active"), "c_wkr1": info(), "c_wkr2": info("error")}
    timed_out = {"status": 503, "msg": "HTTP 503", "json": {"message": "Timeout was reached"}}
    facts = {
        "c_wkr1": {"swarm_joined_manager": {"skipped": True}, "swarm_joined_worker": timed_out},
        "c_wkr2": {},
    }
    assert filters.swarm_outsiders(infos, facts, "10.0.0.1") == [
        "c_wkr1 could not join through 10.0.0.1:2377: Timeout was reached",
        "c_wkr2 could not join through 10.0.0.1:2377: it was not tried",
    ]
