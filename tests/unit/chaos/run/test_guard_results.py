"""What each guard says: when it refuses, why, and what to do about it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from swarmctl.chaos.journal.journal import GuardRecord, TargetRecord
from swarmctl.chaos.plan.limits import Guard
from swarmctl.chaos.plan.window import parse
from swarmctl.chaos.probes.summary import Unanswered
from swarmctl.chaos.run import guards
from swarmctl.chaos.run.guards import PROTECT_LABEL
from swarmctl.prediction.prediction import Loss, Outcome, Prediction
from swarmctl.scheduler.filters import Filter, Shortage
from swarmctl.swarm.lock import Lock, Owner
from swarmctl.swarm.model import Swarm
from tests.unit.chaos.simulated_swarm import Box, address_of, node, service, task

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)  # a Monday
ANN = "ann@laptop (process 7, chaos)"
MGR, WKR = node("mgr1", "manager"), node("wkr1")
FREE = GuardRecord(Guard.NO_OTHER_EXPERIMENT, True, "the Swarm's chaos lock is free")
PUBLISH = "open the published port to this machine (security group), and see swarmctl status"
STATUS = (
    "docker service logs says why a service answers with an error; "
    "in an experiment file, `status` names the statuses that are expected"
)
ELSE = ", or choose what is probed: --probe-service NAME|none"


def refused(name: Guard, trouble: str, remedy: str) -> GuardRecord:
    return GuardRecord(name, False, trouble, remedy)


def passed(name: Guard, detail: str) -> GuardRecord:
    return GuardRecord(name, True, detail)


def lock(until_s: float, plan: dict[str, Any] | None = None) -> Lock:
    since = NOON - timedelta(hours=1)
    until = NOON + timedelta(seconds=until_s)
    return Lock("l1", Owner("ann", "laptop", 7, "chaos"), since, until, plan)


def runs(*ids: str) -> Any:
    return [SimpleNamespace(id=run) for run in ids]


@pytest.mark.parametrize(
    ("pending", "result"),
    [
        ([], passed(Guard.NO_PENDING_UNDO, "no earlier run has anything left to undo")),
        (
            runs("r1", "r2"),
            refused(
                Guard.NO_PENDING_UNDO,
                "not undone: r1, r2",
                "undo it first: swarmctl chaos revert r1",
            ),
        ),
    ],
)
def test_an_earlier_run_that_is_not_undone_is_named(pending: Any, result: GuardRecord) -> None:
    assert guards.nothing_pending(pending) == result


@pytest.mark.parametrize(
    ("found", "result"),
    [
        (None, FREE),
        (lock(-1), FREE),
        (lock(0), FREE),
        (
            lock(1, {"id": "r1"}),
            refused(
                Guard.NO_OTHER_EXPERIMENT,
                f"{ANN} runs one since 2026-01-05 11:00:00 UTC",
                "wait for it to end; if that process is gone: swarmctl chaos revert --from-swarm",
            ),
        ),
        (
            lock(-1, {}),
            refused(
                Guard.NO_OTHER_EXPERIMENT,
                f"{ANN} left something undone since 2026-01-05 11:00:00 UTC",
                "undo it first: swarmctl chaos revert --from-swarm",
            ),
        ),
    ],
)
def test_another_experiment_is_an_obstacle_while_it_lasts_or_is_not_undone(
    found: Lock | None, result: GuardRecord
) -> None:
    assert guards.no_other(found, NOON) == result


def test_everything_that_is_unhealthy_is_named() -> None:
    nodes = (
        replace(MGR, reachability="unreachable"),
        replace(node("mgr2", "manager"), reachability="unreachable", state="down"),
        replace(WKR, state="down"),
        node("wkr2"),
    )
    web = service("web", 2, update_state="paused")
    swarm = Swarm(nodes, (web,), (task("web", 1, "wkr2"),))
    assert guards.healthy(swarm) == refused(
        Guard.SWARM_HEALTHY,
        "node mgr2 is down; node wkr1 is down; manager mgr1 is unreachable; "
        "service web: update is paused; web 1/2: not running yet",
        "a proof needs a healthy Swarm to begin with: see swarmctl status",
    )
    whole = Swarm((MGR, WKR), (service("web", 1),), (task("web", 1, "wkr1"),))
    text = "2 nodes ready, 1 services at full strength"
    assert guards.healthy(whole) == passed(Guard.SWARM_HEALTHY, text)


def test_quorum_says_how_many_managers_would_be_left() -> None:
    detail = "0 of 1 managers would be left, 1 are needed"
    assert guards.quorum(Swarm((MGR, WKR), (), ()), [MGR]) == refused(
        Guard.QUORUM, detail, "choose workers, or fewer managers"
    )
    detail = "1 of 1 managers would be left, 1 are needed"
    assert guards.quorum(Swarm((MGR, WKR), (), ()), [WKR]) == passed(Guard.QUORUM, detail)


@pytest.mark.parametrize(
    ("targets", "asked", "result"),
    [
        ([WKR], False, passed(Guard.LEADER, "the leader is no target")),
        ([WKR, MGR], True, passed(Guard.LEADER, "mgr1 is the leader, as asked for")),
        (
            [WKR, MGR],
            False,
            refused(
                Guard.LEADER,
                "mgr1 is the leader, and was drawn",
                "ask for it: --target leader, or name the node",
            ),
        ),
    ],
)
def test_the_leader_is_lost_only_if_asked_for(
    targets: Any, asked: bool, result: GuardRecord
) -> None:
    assert guards.leader(targets, asked=asked) == result


@pytest.mark.parametrize(
    ("hit", "of", "max_nodes", "max_percent", "ok", "share"),
    [
        (1, 3, 1, 10, True, "33"),
        (2, 3, 1, 34, False, "67"),
        (2, 6, 1, 34, True, "33"),
        (2, 8, 1, 25, True, "25"),
        (2, 8, 1, 24.5, False, "25"),
        (1, 0, 0, 99, False, "100"),
        (1, 0, 0, 100, True, "100"),
        (1, 1, 0, 99, False, "100"),
        (1, 1, 0, 100, True, "100"),
    ],
)
def test_no_more_is_lost_at_once_than_a_number_or_a_share(
    hit: int, of: int, max_nodes: int, max_percent: float, ok: bool, share: str
) -> None:
    what = f"{hit} of {of} nodes ({share} %); {max_nodes} or {max_percent:g} % are allowed"
    remedy = "choose fewer, raise --max-nodes or --max-percent, or --override blast-radius"
    assert guards.blast_radius(hit, of, "nodes", max_nodes, max_percent) == GuardRecord(
        Guard.BLAST_RADIUS, ok, what, "" if ok else remedy
    )


def prediction(**short: tuple[Filter, ...]) -> Prediction:
    ways = {name: (tuple(Shortage(one, 2) for one in why),) for name, why in short.items()}
    loss = Loss(("wkr1",), {}, {}, {}, quorum=True, leader=False)
    return Prediction(loss, {}, (Outcome({}, dict.fromkeys(short, 1)),), True, ways)


def test_lost_replicas_without_room_are_named_and_constraints_are_no_lack_of_room() -> None:
    full = guards.capacity(
        prediction(
            web=(Filter.CONSTRAINT, Filter.RESOURCES),
            db=(Filter.CONSTRAINT,),
            hub=(Filter.HOST_PORT,),
        )
    )
    assert full == refused(
        Guard.CAPACITY,
        "by prediction there is no room: web: no suitable node (scheduling constraints not "
        "satisfied on 2 nodes; insufficient resources on 2 nodes); "
        "hub: no suitable node (host-mode port already in use on 2 nodes)",
        "add a node, or lower reservations; --override capacity runs it all the same",
    )
    room = "by prediction, there is room for what is lost"
    assert guards.capacity(prediction(db=(Filter.CONSTRAINT,))) == passed(Guard.CAPACITY, room)
    assert guards.capacity(None) == passed(Guard.CAPACITY, "nothing has to move")


def box(name: str, **changes: str) -> Box:
    return replace(Box(f"i-{name}", name, "running", address_of(name)), **changes)


@pytest.mark.parametrize(
    ("boxes", "trouble"),
    [
        ([], "no EC2 instance of cluster shop is named wkr1"),
        ([box("wkr1"), box("wkr1", id="i-2")], "wkr1 is ambiguous: i-wkr1, i-2"),
        ([box("wkr1", state="stopping")], "wkr1 (i-wkr1) is stopping, not running"),
        (
            [box("wkr1", private_ip="10.9.9.9")],
            "wkr1 (i-wkr1) has 10.9.9.9, but the Swarm knows the node under 10.42.2.11",
        ),
        ([box("wkr1")], ""),
        ([box("wkr1", private_ip="")], ""),
    ],
)
def test_a_target_is_one_running_instance_of_the_cluster(boxes: list[Box], trouble: str) -> None:
    targets = [WKR, node("wkr2")]
    found = guards.by_name([*boxes, box("wkr2"), box("wkr1", id="i-0", state="terminated")])
    assert guards.owned("shop", targets, found) == (
        refused(
            Guard.INSTANCE,
            trouble,
            "instances are found by their tags Name and swarmctl:cluster=shop",
        )
        if trouble
        else passed(Guard.INSTANCE, "wkr1 is i-wkr1, wkr2 is i-wkr2, running and tagged shop")
    )
    gone = guards.owned("shop", [WKR, node("wkr3")], {})
    assert "named wkr1; no EC2 instance of cluster shop is named wkr3" in gone.detail


def test_a_node_whose_address_is_not_known_is_known_by_its_name() -> None:
    unknown = replace(WKR, address="")
    assert guards.owned("shop", [unknown], guards.by_name([box("wkr1")])).ok


def test_an_instance_that_cannot_be_stopped_is_named() -> None:
    found = guards.by_name(
        [box("wkr1", unstoppable="spot"), box("wkr2"), box("wkr3", unstoppable="instance store")]
    )
    targets = [node(name) for name in ("wkr1", "wkr2", "wkr3", "wkr4")]
    assert guards.stoppable(targets, found) == refused(
        Guard.STOPPABLE,
        "wkr1 (i-wkr1): spot; wkr3 (i-wkr3): instance store",
        "use a fault that leaves the instance running: partition, engine-stop",
    )
    ok = passed(Guard.STOPPABLE, "no spot, instance-store or Auto Scaling instance")
    assert guards.stoppable(targets[1:2], found) == ok


@pytest.mark.parametrize(
    ("value", "protected"), [("true", True), ("True", True), ("false", False), ("", False)]
)
def test_what_has_the_label_is_left_alone(value: str, protected: bool) -> None:
    label = {PROTECT_LABEL: value}
    nodes = [replace(WKR, labels=label), replace(node("wkr2"), labels={"az": "true"}), node("wkr3")]
    services = (service("web", 1), service("db", 2, labels=label), service("hub", 1, labels=label))
    stopped = [task("db", 1, "wkr3"), task("db", 2, "wkr2"), task("web", 1, "wkr1")]
    guard = guards.unprotected(Swarm(tuple(nodes), services, ()), nodes[:2], stopped)
    assert guard == (
        refused(
            Guard.PROTECTED,
            "wkr1, service db (replicas on wkr2, wkr3): label swarmctl.protect=true",
            "choose another target, or remove the label",
        )
        if protected
        else passed(
            Guard.PROTECTED,
            "no target, and no service with a replica there, has the label swarmctl.protect=true",
        )
    )


@pytest.mark.parametrize(
    ("window", "result"),
    [
        ("", passed(Guard.TIME_WINDOW, "no time window is set")),
        ("Mon 09:00-17:00", passed(Guard.TIME_WINDOW, "within Mon 09:00-17:00")),
        (
            "Tue 09:00-17:00",
            refused(
                Guard.TIME_WINDOW,
                "now is not within Tue 09:00-17:00",
                "wait, or --override time-window",
            ),
        ),
    ],
)
def test_a_run_outside_its_hours_is_refused(window: str, result: GuardRecord) -> None:
    assert guards.in_window(parse(window) if window else None, NOON) == result


def target(name: str, instance: str = "i-1", task_id: str = "") -> TargetRecord:
    label = "web.1" if task_id else ""
    return TargetRecord(name, f"id-{name}", "worker", instance, task_id=task_id, task=label)


@pytest.mark.parametrize(
    ("now", "trouble"),
    [
        ([target("wkr1"), target("wkr2", task_id="t1")], ""),
        ([target("wkr1")], "web.1 on wkr2 is gone"),
        ([], "wkr1 is gone; web.1 on wkr2 is gone"),
        (
            [target("wkr2", task_id="t1"), target("wkr1", "i-2")],
            "wkr1 is another machine now: i-2, was i-1",
        ),
        (
            [target("wkr1", ""), target("wkr2", task_id="t2")],
            "wkr1 is another machine now: ?, was i-1; web.1 on wkr2 is gone",
        ),
    ],
)
def test_targets_that_changed_since_they_were_chosen_are_named(
    now: list[TargetRecord], trouble: str
) -> None:
    assert guards.changed_targets([target("wkr1"), target("wkr2", task_id="t1")], now) == trouble


def test_a_machine_that_was_not_known_when_it_was_chosen_is_named() -> None:
    text = "wkr1 is another machine now: i-2, was ?"
    assert guards.changed_targets([target("wkr1", "")], [target("wkr1", "i-2")]) == text


def test_a_fault_that_objects_is_refused_with_its_words() -> None:
    assert guards.possible("no tc there") == refused(Guard.POSSIBLE, "no tc there", "")
    assert guards.possible("") == passed(Guard.POSSIBLE, "the fault can be done to its targets")


SILENT, ERROR = Unanswered("web wkr1", "refused"), Unanswered("db wkr2", "503", bad_status=True)


@pytest.mark.parametrize(
    ("silent", "asked", "forgotten", "result"),
    [
        ([], 0, [], passed(Guard.PROBES_ANSWER, "nothing is probed")),
        ([], 3, ["web"], passed(Guard.PROBES_ANSWER, "3 places answer")),
        ([SILENT], 3, [], refused(Guard.PROBES_ANSWER, "web wkr1: refused", PUBLISH + ELSE)),
        (
            [ERROR],
            3,
            [],
            refused(Guard.PROBES_ANSWER, "db wkr2 answers, but with 503", STATUS + ELSE),
        ),
        (
            [SILENT, ERROR],
            3,
            [],
            refused(
                Guard.PROBES_ANSWER,
                "web wkr1: refused; db wkr2 answers, but with 503",
                f"{PUBLISH}; {STATUS}{ELSE}",
            ),
        ),
        (
            [SILENT],
            3,
            ["web", "db"],
            refused(
                Guard.PROBES_ANSWER,
                "neither the managers nor the nodes know the host ports of web, db "
                "(managers forget them after a change of leader)",
                f"docker service update --force web assigns new ones{ELSE}",
            ),
        ),
    ],
)
def test_a_place_that_does_not_answer_before_the_fault_is_refused_with_its_remedy(
    silent: list[Unanswered], asked: int, forgotten: list[str], result: GuardRecord
) -> None:
    assert guards.answering(silent, asked, forgotten) == result
    if not forgotten:
        assert guards.answering(silent, asked) == result
