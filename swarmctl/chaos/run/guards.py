"""What must be true before a fault. Each guard is a pure function; its record has its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from swarmctl.chaos.journal.journal import GuardRecord, Journal, TargetRecord
from swarmctl.chaos.plan.limits import Guard
from swarmctl.chaos.plan.window import Window
from swarmctl.chaos.probes.summary import Unanswered
from swarmctl.chaos.run.judging import words
from swarmctl.chaos.run.judging.judgement import shortages
from swarmctl.chaos.world.protocols import Machine
from swarmctl.prediction import Prediction
from swarmctl.prediction.quorum import quorum_without
from swarmctl.reading.commands import word
from swarmctl.scheduler.filters import ROOM
from swarmctl.swarm.lock import CHAOS, Lock
from swarmctl.swarm.model import Swarm, Task
from swarmctl.swarm.node import Node

# Node and service label that keeps experiments away.
PROTECT_LABEL = "swarmctl.protect"

_UNFINISHED_UPDATES = ("updating", "paused", "rollback_started", "rollback_paused")


def nothing_pending(pending: Sequence[Journal]) -> GuardRecord:
    """No earlier run left something that is not undone."""
    ids = [run.id for run in pending]
    return _result(
        Guard.NO_PENDING_UNDO,
        f"not undone: {', '.join(ids)}" if ids else "",
        f"undo it first: swarmctl chaos revert {ids[0]}" if ids else "",
        "no earlier run has anything left to undo",
    )


def no_other(lock: Lock | None, now: datetime) -> GuardRecord:
    """No other experiment is under way in this Swarm, wherever it was started.

    Args:
        lock: the chaos lock that is there.
        now: the managers' time.
    """
    trouble = remedy = ""
    if lock is not None and lock.active(now):
        trouble = f"{lock.owner} runs one since {lock.since:%Y-%m-%d %H:%M:%S} UTC"
        remedy = f"wait for it to end; if that process is gone: {CHAOS.unlock}"
    elif lock is not None and lock.plan is not None:
        trouble = f"{lock.owner} left something undone since {lock.since:%Y-%m-%d %H:%M:%S} UTC"
        remedy = f"undo it first: {CHAOS.unlock}"
    return _result(Guard.NO_OTHER_EXPERIMENT, trouble, remedy, "the Swarm's chaos lock is free")


def healthy(swarm: Swarm) -> GuardRecord:
    """All nodes are Ready, all managers reachable, all replicas serve, no update is under way."""
    short = map(words.reason, shortages(swarm))
    return _result(
        Guard.SWARM_HEALTHY,
        "; ".join([*_node_troubles(swarm.nodes), *_update_troubles(swarm), *short]),
        "a proof needs a healthy Swarm to begin with: see swarmctl status",
        f"{len(swarm.nodes)} nodes ready, {len(swarm.services)} services at full strength",
    )


def quorum(swarm: Swarm, targets: Sequence[Node]) -> GuardRecord:
    """After the loss, a majority of the managers remains."""
    left = quorum_without(swarm, {node.id for node in targets})
    detail = f"{left.remaining} of {left.managers} managers would be left, {left.needed} are needed"
    trouble = "" if left.kept else detail
    return _result(Guard.QUORUM, trouble, "choose workers, or fewer managers", detail)


def leader(targets: Sequence[Node], *, asked: bool) -> GuardRecord:
    """The leader is lost only if the user asked for it: no manager answers during an election."""
    led = next((node.hostname for node in targets if node.leader), "")
    return _result(
        Guard.LEADER,
        f"{led} is the leader, and was drawn" if led and not asked else "",
        "ask for it: --target leader, or name the node",
        f"{led} is the leader, as asked for" if led else "the leader is no target",
    )


def blast_radius(hit: int, of: int, what: str, max_nodes: int, max_percent: float) -> GuardRecord:
    """Not too much is lost at once.

    Args:
        hit: how many would be lost.
        of: how many there are.
        what: what they are: ``nodes``, or ``tasks of web``.
        max_nodes: this number is always allowed.
        max_percent: this share of all is always allowed.
    """
    share = 100 * hit / of if of else 100.0
    detail = f"{hit} of {of} {what} ({share:.0f} %); {max_nodes} or {max_percent:g} % are allowed"
    return _result(
        Guard.BLAST_RADIUS,
        "" if hit <= max_nodes or share <= max_percent else detail,
        "choose fewer, raise --max-nodes or --max-percent, or --override blast-radius",
        detail,
    )


def capacity(prediction: Prediction | None) -> GuardRecord:
    """By prediction, the nodes that are left have room for every lost replica.

    A service that its constraints bind to a node is not short of room: whether losing its node is
    a problem is what the experiment shows.
    """
    if prediction is None:
        return _result(Guard.CAPACITY, "", "", "nothing has to move")
    reasons = prediction.reasons
    short = [
        f"{service}: {reasons[service]}"
        for service, ways in prediction.shortages.items()
        if any(shortage.filter in ROOM for way in ways for shortage in way)
    ]
    return _result(
        Guard.CAPACITY,
        f"by prediction there is no room: {'; '.join(short)}" if short else "",
        "add a node, or lower reservations; --override capacity runs it all the same",
        "by prediction, there is room for what is lost",
    )


def owned(
    cluster: str, targets: Sequence[Node], machines: Mapping[str, Sequence[Machine]]
) -> GuardRecord:
    """Every target is exactly one running EC2 instance with this cluster's tag.

    Args:
        cluster: the cluster's name.
        targets: the nodes.
        machines: the cluster's instances by name.
    """
    found = [trouble for node in targets for trouble in _machine_troubles(node, cluster, machines)]
    ids = [f"{n.hostname} is {m.id}" for n in targets for m in machines.get(n.hostname, ())]
    return _result(
        Guard.INSTANCE,
        "; ".join(found),
        f"instances are found by their tags Name and swarmctl:cluster={cluster}",
        f"{', '.join(ids)}, running and tagged {cluster}",
    )


def stoppable(targets: Sequence[Node], machines: Mapping[str, Sequence[Machine]]) -> GuardRecord:
    """Every target can be stopped without being lost, or replaced by an Auto Scaling group."""
    troubles = [
        f"{node.hostname} ({machine.id}): {machine.unstoppable}"
        for node in targets
        for machine in machines.get(node.hostname, ())
        if machine.unstoppable
    ]
    return _result(
        Guard.STOPPABLE,
        "; ".join(troubles),
        "use a fault that leaves the instance running: partition, engine-stop",
        "no spot, instance-store or Auto Scaling instance",
    )


def unprotected(swarm: Swarm, targets: Sequence[Node], stopped: Sequence[Task]) -> GuardRecord:
    """Neither a target nor a service that would lose a replica has the label against experiments.

    Args:
        swarm: the newest snapshot.
        targets: the nodes.
        stopped: the tasks that the fault would end.
    """
    names = {node.id: node.hostname for node in swarm.nodes}
    held = [node.hostname for node in targets if _is_protected(node.labels)]
    for service in filter(lambda service: _is_protected(service.labels), swarm.services):
        nodes = {names[task.node_id] for task in stopped if task.service_id == service.id}
        if nodes:
            held.append(f"service {service.name} (replicas on {', '.join(sorted(nodes))})")
    return _result(
        Guard.PROTECTED,
        f"{', '.join(held)}: label {PROTECT_LABEL}=true" if held else "",
        "choose another target, or remove the label",
        f"no target, and no service with a replica there, has the label {PROTECT_LABEL}=true",
    )


def _is_protected(labels: Mapping[str, str]) -> bool:
    return labels.get(PROTECT_LABEL, "").lower() == "true"


def in_window(window: Window | None, now: datetime) -> GuardRecord:
    """Now is a time at which experiments are allowed."""
    outside = window is not None and not window.contains(now)
    return _result(
        Guard.TIME_WINDOW,
        f"now is not within {window}" if outside else "",
        "wait, or --override time-window",
        f"within {window}" if window else "no time window is set",
    )


def changed_targets(planned: Sequence[TargetRecord], now: Sequence[TargetRecord]) -> str:
    """Which targets are gone or another machine since they were chosen; ``""`` for none."""
    known = {(target.node_id, target.task_id): target for target in now}
    troubles = []
    for target in planned:
        found = known.get((target.node_id, target.task_id))
        if found is None:
            troubles.append(f"{target.what} is gone")
        elif found.instance_id != target.instance_id:
            ids = f"{found.instance_id or '?'}, was {target.instance_id or '?'}"
            troubles.append(f"{target.node} is another machine now: {ids}")
    return "; ".join(troubles)


def possible(refusal: str) -> GuardRecord:
    """The fault itself can be done to its targets.

    Args:
        refusal: the fault's objection; ``""`` for none.
    """
    return _result(Guard.POSSIBLE, refusal, "", "the fault can be done to its targets")


def answering(
    silent: Sequence[Unanswered], asked: int, forgotten: Sequence[str] = ()
) -> GuardRecord:
    """Every probed place answers before the fault, so that silence after it proves something.

    Args:
        silent: the places that don't.
        asked: how many places there are.
        forgotten: services whose host ports the managers have forgotten.
    """
    trouble = "; ".join(map(str, silent))
    remedies = []
    if not all(place.bad_status for place in silent):
        remedies.append(
            "open the published port to this machine (security group), and see swarmctl status"
        )
    if any(place.bad_status for place in silent):
        remedies.append(
            "docker service logs says why a service answers with an error; "
            "in an experiment file, `status` names the statuses that are expected"
        )
    remedy = "; ".join(remedies)
    if silent and forgotten:
        trouble = (
            f"neither the managers nor the nodes know the host ports of {', '.join(forgotten)} "
            "(managers forget them after a change of leader)"
        )
        remedy = f"docker service update --force {word(forgotten[0])} assigns new ones"
    return _result(
        Guard.PROBES_ANSWER,
        trouble,
        f"{remedy}, or choose what is probed: --probe-service NAME|none",
        f"{asked} places answer" if asked else "nothing is probed",
    )


def _result(name: Guard, trouble: str, remedy: str, passed: str) -> GuardRecord:
    """A guard's result: refused with the trouble, if there is any, else passed."""
    return GuardRecord(name, False, trouble, remedy) if trouble else GuardRecord(name, True, passed)


def by_name(machines: Iterable[Machine]) -> dict[str, list[Machine]]:
    """Instances by name; a terminated one's name may have been taken again."""
    named: dict[str, list[Machine]] = {}
    for machine in machines:
        if machine.state != "terminated":
            named.setdefault(machine.name, []).append(machine)
    return named


def _node_troubles(nodes: Sequence[Node]) -> list[str]:
    # A machine that was made anew has a new entry; the old one, of a worker, hinders nothing.
    anew = {node.hostname for node in nodes if node.live}
    down = [
        f"node {node.hostname} is {node.state}"
        for node in nodes
        if not node.live and (node.role == "manager" or node.hostname not in anew)
    ]
    cut_off = [
        f"manager {node.hostname} is unreachable"
        for node in nodes
        if node.live and node.reachability == "unreachable"
    ]
    return down + cut_off


def _update_troubles(swarm: Swarm) -> list[str]:
    return [
        f"service {service.name}: update is {service.update_state}"
        for service in swarm.services
        if service.update_state in _UNFINISHED_UPDATES
    ]


def _machine_troubles(
    node: Node, cluster: str, machines: Mapping[str, Sequence[Machine]]
) -> list[str]:
    found = machines.get(node.hostname, ())
    if not found:
        return [f"no EC2 instance of cluster {cluster} is named {node.hostname}"]
    if len(found) > 1:
        return [f"{node.hostname} is ambiguous: {', '.join(machine.id for machine in found)}"]
    machine = found[0]
    if machine.state != "running":
        return [f"{node.hostname} ({machine.id}) is {machine.state}, not running"]
    # The name alone could lie; stopping the wrong machine is the one mistake not to make.
    if machine.private_ip and node.address and machine.private_ip != node.address:
        return [
            f"{node.hostname} ({machine.id}) has {machine.private_ip}, "
            f"but the Swarm knows the node under {node.address}"
        ]
    return []
