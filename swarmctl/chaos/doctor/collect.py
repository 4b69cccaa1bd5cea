"""Collects evidence of leftovers: journals, locks, machines, nodes. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from swarmctl.chaos.doctor import inspect_nodes
from swarmctl.chaos.doctor.evidence import ChaosLock, Evidence, electing
from swarmctl.chaos.doctor.findings import EC2, NETWORK, SWARM
from swarmctl.chaos.journal.runs import Runs
from swarmctl.chaos.run import extra_replica, plan_from_swarm
from swarmctl.chaos.world.protocols import Cluster
from swarmctl.errors import DeadlineExceededError, RefusedError, SwarmctlError
from swarmctl.swarm import lock
from swarmctl.swarm.engine import Engine
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.ssh import NotNowError
from swarmctl.wait import CLOCK, Clock, wait_for

# An election, and the time in which a new leader hears of every node.
_ELECTION_S = 60.0


@dataclass(frozen=True)
class Access:
    """What the doctor can reach.

    Args:
        runs: the local journals.
        cluster: the cluster; ``None`` if it cannot be found, and ``unreachable`` says why.
        options: that commands for this cluster need, for example ``--cluster NAME``.
        unreachable: what cannot be examined, and why.
        awaiting: told what the network is waited for.
        clock: replaced in tests.
    """

    runs: Runs
    cluster: Cluster | None = None
    options: str = ""
    unreachable: Mapping[str, SwarmctlError] = field(default_factory=dict)
    awaiting: Callable[[str], None] = lambda _: None
    clock: Clock = CLOCK


def collect(access: Access, now: datetime | None = None) -> Evidence:
    """Collect everything that can be reached; what cannot be is part of the evidence.

    Args:
        access: what to examine.
        now: this machine's time.
    """
    now = now or datetime.now(UTC)
    evidence = replace(
        _journals(access.runs, now), options=access.options, unreachable=dict(access.unreachable)
    )
    cluster = access.cluster
    if cluster is None:
        return evidence
    evidence = replace(evidence, cluster=cluster.name)
    try:
        machines = tuple(cluster.ec2.instances(cluster.name))
    except SwarmctlError as fault:
        return replace(evidence, unreachable={**evidence.unreachable, EC2: fault})
    # Inspect nodes first, then locks: a run locks before it changes a node, so its lock is seen.
    running = [machine.name for machine in machines if machine.state == "running"]
    reports, silent = inspect_nodes.inspect(cluster.shell, running, now)
    unreachable = {**evidence.unreachable, **silent}
    evidence = replace(evidence, machines=machines, reports=reports, unreachable=unreachable)
    try:
        engine = cluster.engine()
        evidence = replace(evidence, swarm=_after_election(engine, access.clock))
        evidence = _locks(evidence, engine, cluster)
    except SwarmctlError as fault:
        return replace(evidence, unreachable={**evidence.unreachable, SWARM: fault})
    return _network(evidence, access, cluster)


def _after_election(engine: Engine, clock: Clock) -> Swarm:
    """The Swarm, once it has a leader that has heard of its nodes, or as it is after a while.

    Raises:
        SwarmctlError: there is no leader, or no manager answers.
    """
    seen: list[Swarm] = []

    def settled() -> tuple[Swarm | None, str]:
        try:
            swarm = engine.snapshot()
        except NotNowError as fault:
            return None, fault.message
        seen.append(swarm)
        what = electing(swarm)
        return (None if what else swarm), what

    try:
        return wait_for(
            "the managers to agree on a leader",
            settled,
            timeout=_ELECTION_S,
            interval=1.0,
            clock=clock.now,
            pause=clock.pause,
        )
    except DeadlineExceededError as fault:
        if seen:
            return seen[-1]
        raise SwarmctlError(
            fault.message,
            "more than half of the managers must run: start those that are stopped; then "
            "swarmctl chaos doctor",
        ) from fault


def _journals(runs: Runs, now: datetime) -> Evidence:
    pending, undone, unreadable = [], set(), {}
    for run_id in runs.ids():
        try:
            journal = runs.load(run_id)
        except SwarmctlError as fault:
            unreadable[run_id] = fault
            continue
        if journal.undo.pending:
            pending.append(journal)
        else:
            undone.add(run_id)
    return Evidence(
        now,
        str(runs.root),
        pending=tuple(pending),
        undone=frozenset(undone),
        unreadable=unreadable,
        in_use=_in_use(runs),
    )


def _in_use(runs: Runs) -> str:
    """The process that holds the runs directory, or ``""``."""
    path = runs.root / ".lock"
    if not path.exists():
        return ""
    try:
        with runs.lock():
            return ""
    except RefusedError:
        with suppress(OSError):  # it is held all the same, by somebody unknown
            return path.read_text(encoding="utf-8").strip() or "unknown"
        return "unknown"
    except SwarmctlError:  # a directory we may not write to
        return ""


def _network(evidence: Evidence, access: Access, cluster: Cluster) -> Evidence:
    """Check the network, unless a run is not undone: its fault explains what does not answer."""
    faulty = any(report.traces for report in evidence.reports.values())
    if evidence.swarm is None or evidence.pending or evidence.chaos or faulty:
        return evidence
    try:
        return replace(evidence, network=tuple(cluster.network(evidence.swarm, access.awaiting)))
    except SwarmctlError as fault:
        return replace(evidence, unreachable={**evidence.unreachable, NETWORK: fault})


def _locks(evidence: Evidence, engine: Engine, cluster: Cluster) -> Evidence:
    now = lock.manager_time(engine)
    labels = [entry["Spec"].get("Labels") or {} for entry in engine.get("/configs") or ()]
    stale: dict[str, lock.Lock] = {}
    bad: list[SwarmctlError] = []
    for stack in sorted({str(found[lock.LABEL]) for found in labels if lock.LABEL in found}):
        try:
            held = lock.find(engine, lock.of_stack(stack))
        except SwarmctlError as fault:
            bad.append(fault)
            continue
        if held is not None and (not held.active(now) or held.owner.alive is False):
            stale[stack] = held
    evidence = replace(evidence, stale=stale)
    try:
        evidence = replace(evidence, chaos=_chaos_lock(evidence, engine, cluster, now))
    except SwarmctlError as fault:
        bad.append(fault)
    return replace(evidence, bad_locks=tuple(bad))


def _chaos_lock(
    evidence: Evidence, engine: Engine, cluster: Cluster, now: datetime
) -> ChaosLock | None:
    found = lock.find(engine, lock.CHAOS)
    if found is None:
        return None
    state = ChaosLock(found, found.owned(now), found.owner.alive)
    extra = extra_replica.replicas(found.plan)
    if found.plan is None or extra is not None:
        return replace(state, extra=extra)
    assert evidence.swarm is not None
    known = plan_from_swarm.here(cluster, evidence.swarm)
    return replace(state, plan=plan_from_swarm.read(found.plan, known))
