"""Looks everywhere for what runs left behind, and mends what is ours: for ``chaos doctor``."""

from __future__ import annotations

import getpass
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from swarmctl.chaos.doctor import inspect_nodes
from swarmctl.chaos.doctor.findings import EC2, SWARM, Cure, Facts, Finding, Held, Way
from swarmctl.chaos.journal.runs import Runs, from_brief
from swarmctl.chaos.world.protocols import Ec2, Shell
from swarmctl.errors import RefusedError, SwarmctlError
from swarmctl.swarm import lock
from swarmctl.swarm.engine import Engine
from swarmctl.wait import wait_for

_HEAL_TIMEOUT_S = 60.0
# A node that was cut off waits up to some seconds before it tries the managers again.
_READY_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Reach:
    """What can be asked.

    Args:
        runs: the local journals.
        cluster: the cluster's name.
        options: what commands for this cluster need besides.
        ec2: the machines; ``None`` if they cannot be asked about, and ``blind`` says why.
        shell: commands on them.
        engine: makes a connection to the managers; raises if none runs.
        blind: what cannot be looked at, and why.
    """

    runs: Runs
    cluster: str = ""
    options: str = ""
    ec2: Ec2 | None = None
    shell: Shell | None = None
    engine: Callable[[], Engine] | None = None
    blind: Mapping[str, SwarmctlError] = field(default_factory=dict)


@dataclass(frozen=True)
class Hands:
    """How things are put back.

    Args:
        revert: carries out a local run's undo plan.
        from_swarm: carries out the plan in the chaos lock.
    """

    revert: Callable[[str], None]
    from_swarm: Callable[[], None]


def look(reach: Reach, now: datetime | None = None) -> Facts:
    """Look at everything that can be reached. Changes nothing, and never raises for what can't.

    Args:
        reach: what to look at.
        now: this machine's time.
    """
    now = now or datetime.now(UTC)
    facts = replace(
        _journals(reach.runs, now),
        cluster=reach.cluster,
        options=reach.options,
        blind=dict(reach.blind),
    )
    if reach.ec2 is None or reach.shell is None or reach.engine is None:
        return facts
    try:
        machines = tuple(reach.ec2.instances(reach.cluster))
    except SwarmctlError as fault:
        return replace(facts, blind={**facts.blind, EC2: fault})
    # The nodes before the lock: whoever works on a node now has taken the lock before.
    running = [machine.name for machine in machines if machine.state == "running"]
    looks, silent = inspect_nodes.inspect(reach.shell, running, now)
    facts = replace(facts, machines=machines, looks=looks, blind={**facts.blind, **silent})
    try:
        engine = reach.engine()
        facts = replace(facts, swarm=engine.snapshot())
        return _locks(facts, engine)
    except SwarmctlError as fault:
        return replace(facts, blind={**facts.blind, SWARM: fault})


def carry_out(
    cure: Cure, reach: Reach, hands: Hands, pause: Callable[[float], None] = time.sleep
) -> None:
    """Mend one thing, unless it has changed since it was seen.

    Args:
        cure: what to do.
        reach: what can be asked.
        hands: what can be done.
        pause: replaced in tests.

    Raises:
        SwarmctlError: it did not work.
    """
    assert reach.engine is not None  # without managers there is nothing that could be cured
    assert reach.shell is not None
    if cure.way is Way.REVERT:
        hands.revert(cure.subject)
        return
    engine = reach.engine()
    if cure.way is Way.RELEASE:
        lock.release(engine, cure.subject)  # by its id: if there is a new one it stays
        return
    held = lock.find(engine, lock.CHAOS)
    if cure.way is Way.FROM_SWARM:
        if held is not None and held.id == cure.subject:
            hands.from_swarm()
        return
    if held is not None and (held.plan or {}).get("id") == cure.subject:
        raise RefusedError(f"{cure.subject} is under way again: {held.owner}")
    reach.shell.run(cure.node, inspect_nodes.heal(cure.home, cure.subject), _HEAL_TIMEOUT_S)

    def ready() -> tuple[bool | None, str]:
        found = engine.snapshot().node_by_name(cure.node)
        state = found.state if found else "not in the Swarm"
        return (True if found is None or found.live else None), state

    wait_for(f"{cure.node} to be Ready", ready, timeout=_READY_TIMEOUT_S, interval=1.0, pause=pause)


def cures(findings: Sequence[Finding]) -> list[Cure]:
    """What can be done about these findings: each thing once, undo plans before all else."""
    found = dict.fromkeys(finding.cure for finding in findings if finding.cure)
    order = list(Way)
    return sorted(found, key=lambda cure: order.index(cure.way))


def alive(owner: lock.Owner) -> bool | None:
    """Whether the process that took a lock is there; ``None`` if it is not of this machine."""
    if (owner.user, owner.host) != (getpass.getuser(), socket.gethostname()):
        return None
    with suppress(OSError, IndexError):  # killed, but its parent has not noticed yet
        state = Path(f"/proc/{owner.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
        if state.split()[0] in ("Z", "X"):
            return False
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _journals(runs: Runs, now: datetime) -> Facts:
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
    return Facts(
        now,
        str(runs.root),
        pending=tuple(pending),
        undone=frozenset(undone),
        unreadable=unreadable,
        busy=_busy(runs),
    )


def _busy(runs: Runs) -> str:
    """The process that holds the runs directory, or ``""``."""
    path = runs.root / ".lock"
    if not path.exists():
        return ""
    try:
        with runs.lock():
            return ""
    except RefusedError:
        with suppress(OSError):
            return path.read_text(encoding="utf-8").strip() or "unknown"
        return "unknown"
    except SwarmctlError:  # a directory we may not write to
        return ""


def _locks(facts: Facts, engine: Engine) -> Facts:
    now = lock.manager_time(engine)
    labels = [entry["Spec"].get("Labels") or {} for entry in engine.get("/configs") or ()]
    stale = {}
    for stack in sorted({str(found[lock.LABEL]) for found in labels if lock.LABEL in found}):
        held = lock.find(engine, lock.of_stack(stack))
        if held is not None and not held.held(now):
            stale[stack] = held
    chaos = lock.find(engine, lock.CHAOS)
    if chaos is None:
        return replace(facts, stale=stale)
    plan = from_brief(chaos.plan) if chaos.plan is not None else None
    return replace(
        facts, stale=stale, chaos=Held(chaos, not chaos.held(now), alive(chaos.owner), plan)
    )
