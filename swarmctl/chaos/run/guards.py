"""What must be true before anything is broken. Each guard is a pure function with a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from swarmctl.chaos.journal.journal import GuardRecord, Journal
from swarmctl.chaos.plan.window import Window
from swarmctl.chaos.run.judging import words
from swarmctl.chaos.run.judging.judgement import shortages
from swarmctl.chaos.world.protocols import Forecast, Machine
from swarmctl.errors import RefusedError
from swarmctl.swarm.lock import CHAOS, Lock
from swarmctl.swarm.model import Node, Service, Swarm

# Node and service label that keeps experiments away.
PROTECT_LABEL = "swarmctl.protect"

_UNFINISHED_UPDATES = ("updating", "paused", "rollback_started", "rollback_paused")


def refuse(guards: Sequence[GuardRecord]) -> None:
    """Stop the experiment if any guard forbids it.

    Raises:
        RefusedError: names every guard that refused, why, and what to do about it.
    """
    against = [guard for guard in guards if not guard.ok and not guard.overridden]
    if against:
        # Each guard's own line has been printed by now; the error names them once more.
        raise RefusedError(
            "refused by "
            + ", ".join(f"guard {guard.name} ({guard.detail})" for guard in against)
            + "; nothing was touched",
            "; ".join(dict.fromkeys(guard.remedy for guard in against if guard.remedy)),
        )


def nothing_pending(pending: Sequence[Journal]) -> GuardRecord:
    """No earlier experiment left something that is not undone."""
    if not pending:
        return GuardRecord("no-pending-undo", True, "no earlier run has anything left to undo")
    return GuardRecord(
        "no-pending-undo",
        False,
        f"not undone: {', '.join(run.id for run in pending)}",
        f"undo it first: swarmctl chaos revert {pending[0].id}",
    )


def healthy(swarm: Swarm) -> GuardRecord:
    """All nodes are Ready, all managers reachable, all replicas serve, no update is under way."""
    short = map(words.reason, shortages(swarm))
    troubles = [*_node_troubles(swarm.nodes), *_update_troubles(swarm), *short]
    if troubles:
        return GuardRecord(
            "swarm-healthy",
            False,
            "; ".join(troubles),
            "a proof needs a healthy Swarm to begin with: see swarmctl status",
        )
    return GuardRecord(
        "swarm-healthy",
        True,
        f"{len(swarm.nodes)} nodes ready, {len(swarm.services)} services at full strength",
    )


def quorum(swarm: Swarm, targets: Sequence[Node]) -> GuardRecord:
    """After the loss, N/2+1 of the N managers remain: fewer, and the Swarm can't change a thing.

    https://docs.docker.com/engine/swarm/admin_guide/#add-manager-nodes-for-fault-tolerance
    """
    lost = {node.id for node in targets}
    managers = [node for node in swarm.nodes if node.role == "manager"]
    left = [n for n in managers if n.id not in lost and n.live and n.reachability != "unreachable"]
    needed = len(managers) // 2 + 1
    detail = f"{len(left)} of {len(managers)} managers would be left, {needed} are needed"
    if len(left) >= needed:
        return GuardRecord("quorum", True, detail)
    return GuardRecord("quorum", False, detail, "choose workers, or fewer managers")


def owned(
    cluster: str, targets: Sequence[Node], machines: Mapping[str, Sequence[Machine]]
) -> GuardRecord:
    """Every target is exactly one running EC2 instance that this cluster's tag owns.

    Args:
        cluster: the cluster's name.
        targets: the nodes.
        machines: the cluster's instances by name.
    """
    troubles = [
        trouble for node in targets for trouble in _machine_troubles(node, cluster, machines)
    ]
    if troubles:
        return GuardRecord(
            "instance",
            False,
            "; ".join(troubles),
            f"instances are found by their tags Name and swarmctl:cluster={cluster}",
        )
    pairs = ", ".join(f"{node.hostname} is {machines[node.hostname][0].id}" for node in targets)
    return GuardRecord("instance", True, f"{pairs}, running and tagged {cluster}")


def answering(silent: Sequence[str], asked: int, forgotten: Sequence[str] = ()) -> GuardRecord:
    """Every place the probes ask answers before the fault, so that silence after it means much.

    Args:
        silent: the places that don't, each with its error.
        asked: how many places there are.
        forgotten: services whose host ports the managers have forgotten.
    """
    if not silent:
        text = f"{asked} places answer" if asked else "nothing is probed"
        return GuardRecord("probes-answer", True, text)
    if forgotten:
        return GuardRecord(
            "probes-answer",
            False,
            f"neither the managers nor the nodes tell the host ports of {', '.join(forgotten)}"
            " (a change of leader makes managers forget)",
            f"docker service update --force {forgotten[0]} gives out new ones; "
            "or choose what is probed: --probe-service NAME|none",
        )
    return GuardRecord(
        "probes-answer",
        False,
        "; ".join(silent),
        "open the published port to this machine (security group), "
        "or choose what is probed: --probe-service NAME|none",
    )


def possible(refusal: str) -> GuardRecord:
    """The fault itself can be done to its targets.

    Args:
        refusal: what the fault says against it.
    """
    return GuardRecord("possible", not refusal, refusal or "the fault can be done to its targets")


def no_other(lock: Lock | None, now: datetime) -> GuardRecord:
    """No other experiment is under way in this Swarm, wherever it was started.

    Args:
        lock: the chaos lock that is there.
        now: the managers' time.
    """
    if lock is None or (lock.plan is None and not lock.active(now)):
        return GuardRecord("no-other-experiment", True, "the Swarm's chaos lock is free")
    since = f"since {lock.since:%Y-%m-%d %H:%M:%S} UTC"
    if lock.active(now):
        return GuardRecord(
            "no-other-experiment",
            False,
            f"{lock.owner} runs one {since}",
            f"wait for it to end; if that process is gone: {CHAOS.unlock}",
        )
    return GuardRecord(
        "no-other-experiment",
        False,
        f"{lock.owner} left something undone {since}",
        f"undo it first: {CHAOS.unlock}",
    )


def leader(targets: Sequence[Node], *, asked: bool) -> GuardRecord:
    """The leader is only lost by somebody who asked for it: an election takes the managers away."""
    led = [node.hostname for node in targets if node.leader]
    if not led:
        return GuardRecord("leader", True, "the leader is no target")
    if asked:
        return GuardRecord("leader", True, f"{led[0]} is the leader, as asked for")
    return GuardRecord(
        "leader",
        False,
        f"{led[0]} is the leader, and was drawn",
        "ask for it: --target leader, or name the node",
    )


def blast_radius(hit: int, of: int, what: str, max_nodes: int, max_percent: float) -> GuardRecord:
    """Not too much is taken away at once.

    Args:
        hit: how many are taken away.
        of: how many there are.
        what: what they are: ``nodes``, or ``tasks of web``.
        max_nodes: so many are always allowed.
        max_percent: so large a share of all is allowed.
    """
    share = 100 * hit / of if of else 100.0
    detail = f"{hit} of {of} {what} ({share:.0f} %)"
    allowed = f"{max_nodes} or {max_percent:g} % are allowed"
    if hit <= max_nodes or share <= max_percent:
        return GuardRecord("blast-radius", True, f"{detail}; {allowed}")
    return GuardRecord(
        "blast-radius",
        False,
        f"{detail}; {allowed}",
        "choose fewer, raise --max-nodes or --max-percent, or --override blast-radius",
    )


# Words of Swarm for "there is no room", as opposed to "it may not run there".
_NO_ROOM = ("insufficient resources", "max replicas per node", "host-mode port")


def capacity(forecast: Forecast | None) -> GuardRecord:
    """By prediction, everything that is lost finds room on the nodes that are left.

    A service that is bound to a node by its constraints is not short of room: whether losing its
    node is a problem is what the experiment is to show.
    """
    if forecast is None:
        return GuardRecord("capacity", True, "nothing has to move")
    reasons: dict[str, str] = forecast["reasons"]
    short = [
        f"{service}: {text}"
        for service, text in reasons.items()
        if any(words in text for words in _NO_ROOM)
    ]
    if not short:
        return GuardRecord("capacity", True, "by prediction, there is room for what is lost")
    return GuardRecord(
        "capacity",
        False,
        f"by prediction there is no room: {'; '.join(short)}",
        "add a node, or lower reservations; --override capacity runs it all the same",
    )


def stoppable(targets: Sequence[Node], machines: Mapping[str, Sequence[Machine]]) -> GuardRecord:
    """Every target can be stopped without being lost or replaced behind our back."""
    troubles = [
        f"{node.hostname} ({machine.id}): {machine.unstoppable}"
        for node in targets
        for machine in machines.get(node.hostname, ())
        if machine.unstoppable
    ]
    if troubles:
        return GuardRecord(
            "stoppable",
            False,
            "; ".join(troubles),
            "use a fault that leaves the instance running: partition, engine-stop",
        )
    return GuardRecord("stoppable", True, "no spot, instance-store or Auto Scaling instance")


def unprotected(targets: Sequence[Node], services: Sequence[Service] = ()) -> GuardRecord:
    """No target carries the label that keeps experiments away."""
    held = [n.hostname for n in targets if n.labels.get(PROTECT_LABEL, "").lower() == "true"]
    held += [s.name for s in services if s.labels.get(PROTECT_LABEL, "").lower() == "true"]
    if held:
        return GuardRecord(
            "protected",
            False,
            f"{', '.join(held)}: label {PROTECT_LABEL}=true",
            "choose another target, or take the label away",
        )
    return GuardRecord("protected", True, f"no target has the label {PROTECT_LABEL}=true")


def in_window(window: Window | None, now: datetime) -> GuardRecord:
    """Now is a time at which experiments are allowed."""
    if window is None:
        return GuardRecord("time-window", True, "no time window is set")
    if window.contains(now):
        return GuardRecord("time-window", True, f"within {window}")
    return GuardRecord("time-window", False, f"now is not within {window}", "wait, or override")


def by_name(machines: Iterable[Machine]) -> dict[str, list[Machine]]:
    """Instances by name; a terminated one's name may have been taken again."""
    named: dict[str, list[Machine]] = {}
    for machine in machines:
        if machine.state != "terminated":
            named.setdefault(machine.name, []).append(machine)
    return named


def _node_troubles(nodes: Sequence[Node]) -> list[str]:
    down = [f"node {node.hostname} is {node.state}" for node in nodes if not node.live]
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
