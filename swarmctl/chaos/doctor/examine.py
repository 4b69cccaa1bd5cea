"""What runs left behind, told from what was seen. Pure: it asks nobody and changes nothing.

What a run's undo plan, or its traces on a node, account for is an error: we did that. Whatever
nobody's plan mentions may be on purpose, and is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from swarmctl.chaos.doctor.findings import EC2, SWARM, Cure, Facts, Finding, Severity, Way
from swarmctl.chaos.doctor.inspect_nodes import Trace
from swarmctl.chaos.fault.fault import UndoAction
from swarmctl.chaos.journal.journal import Journal
from swarmctl.errors import SwarmctlError
from swarmctl.reading.times import time_or_none
from swarmctl.swarm import lock
from swarmctl.swarm.model import Node

_SITE = "ansible-playbook playbooks/site.yml"
_LATER = "swarmctl chaos doctor"  # nothing to do but to look again
_START = "aws ec2 start-instances --instance-ids {id}"
_START_LATER = f"aws ec2 wait instance-stopped --instance-ids {{id}} && {_START}"
# Without an Engine the machine is no member either, and that is said.
_ENGINE = {"active": "", "none": "", "hung": "stopped by a signal (SIGSTOP)"}


@dataclass(frozen=True, slots=True)
class _Claim:
    """A run that says what it did, and how that is undone."""

    run: Journal
    mend: str
    cure: Cure | None
    busy: str = ""  # why it may be under way

    @property
    def severity(self) -> Severity:
        return Severity.WARNING if self.busy else Severity.ERROR

    def covers(self, name: str, node_id: str, drained: bool) -> bool:
        """Whether its plan is about this node, and about this kind of trouble."""
        return any(
            (step.node == name or step.node_id == node_id)
            and (step.action == UndoAction.ACTIVATE_NODE) == drained
            for step in self.run.undo.steps
        )


def examine(facts: Facts) -> tuple[Finding, ...]:
    """All findings: in the runs directory, in EC2 and the Swarm, and on the nodes by name."""
    claims = _claims(facts)
    machines = [machine.name for machine in facts.machines or ()]
    members = [node.hostname for node in facts.swarm.nodes] if facts.swarm else []
    names = dict.fromkeys([*machines, *members])
    return (
        *_in_runs(facts, claims),
        *(_blind(place, facts.blind[place]) for place in (EC2, SWARM) if place in facts.blind),
        *_locks(facts, claims),
        *(found for name in names for found in _Place(facts, claims, name).findings()),
    )


def _claims(facts: Facts) -> list[_Claim]:
    """The runs that are not undone; that of the Swarm's lock only if there is no journal of it."""
    where = "" if facts.runs_dir == "runs" else f" --runs-dir {facts.runs_dir}"
    busy = f"process {facts.busy} works in {facts.runs_dir}" if facts.busy else ""
    claims: list[_Claim] = []
    for run in facts.pending:
        ours = facts.machines is not None and run.cluster == facts.cluster
        can = Cure(Way.REVERT, run.id) if ours and not busy else None
        mend = _LATER if busy else f"swarmctl chaos revert {run.id}{where}"
        claims.append(_Claim(run, mend, can, busy))
    held = facts.chaos
    if held and held.plan and held.plan.id not in facts.undone | {r.id for r in facts.pending}:
        busy = "" if held.dead else _holder(held.lock)
        # The plan may name a command to run here, and is not of this machine: people must say so.
        risky = any(step.action == UndoAction.REPLACE_INSTANCE for step in held.plan.undo.steps)
        cure = None if risky or busy else Cure(Way.FROM_SWARM, held.lock.id)
        mend = _LATER if held.alive else _unlock(facts) + where
        claims.append(_Claim(held.plan, mend, cure, busy))
    return claims


def _in_runs(facts: Facts, claims: Sequence[_Claim]) -> Iterator[Finding]:
    place = f"{facts.runs_dir}/"
    for why in facts.unreadable.values():
        yield Finding(place, _flat(why), why.hint, Severity.ERROR)
    for claim in claims:
        run = claim.run
        if run not in facts.pending:
            continue
        what = f"{run.id} is not undone: {run.experiment} of {_targets(run)}"
        if run.cluster != facts.cluster:
            what += f", in the cluster {run.cluster}"
        what += f"; the last try failed: {run.undo.detail}" if run.undo.detail else ""
        what += f"; it may be under way, {claim.busy}" if claim.busy else ""
        since = datetime.fromisoformat(run.started_at)
        yield Finding(place, what, claim.mend, claim.severity, since, claim.cure)


def _locks(facts: Facts, claims: Sequence[_Claim]) -> Iterator[Finding]:
    for stack, stale in facts.stale.items():
        subject = lock.of_stack(stack)
        what = f"{subject.what} is locked by {stale.owner}; the lock's time is over"
        free = stale.plan is None
        cure = Cure(Way.RELEASE, stale.id) if free else None
        yield Finding(SWARM, what, subject.unlock + facts.options, since=stale.since, cure=cure)
    held = facts.chaos
    if held is None:
        return
    claim = _of_run(claims, held.plan.id) if held.plan else None
    what = f"locked for chaos by {_holder(held.lock)}"
    if claim and held.plan:
        what += f"; it holds the plan that undoes {held.plan.id} ({_targets(held.plan)})"
        what += "; it may be at work" if claim.busy else ""
        yield Finding(SWARM, what, claim.mend, claim.severity, held.lock.since, claim.cure)
        return
    # No plan, or one that is carried out: nothing hangs on it, and its time ends by itself.
    free = held.dead and (held.over or held.plan is not None)
    what += "; nothing is left to undo" if held.dead else "; it may be at work"
    cure = Cure(Way.RELEASE, held.lock.id) if free else None
    mend = _LATER if held.alive else _unlock(facts)
    yield Finding(SWARM, what, mend, since=held.lock.since, cure=cure)


class _Place:
    """Everything about one node."""

    def __init__(self, facts: Facts, claims: Sequence[_Claim], name: str) -> None:
        self._facts, self._claims, self._name = facts, claims, name
        self._machine = next((m for m in facts.machines or () if m.name == name), None)
        members = facts.swarm.nodes if facts.swarm else ()
        entries = [node for node in members if node.hostname == name]
        # A machine that left and joined again is listed twice; the live entry is the node.
        entries.sort(key=lambda node: (node.live, node.updated_at), reverse=True)
        self._node: Node | None = entries[0] if entries else None
        self._dead = entries[1:]

    def findings(self) -> Iterator[Finding]:
        """What is wrong with its machine, on it, and with its entries in the Swarm."""
        reasons = [*self._of_machine(), *self._on_it()]
        yield from reasons
        if self._name in self._facts.blind:
            yield _blind(self._name, self._facts.blind[self._name])
        node = self._node
        if node and not node.live and not reasons:
            what = f"the managers call it {node.state.capitalize()}"
            yield self._about(what, f"ssh {self._name} sudo systemctl restart docker", _since(node))
        if node and node.availability != "active":
            what = {"drain": "drained", "pause": "paused"}.get(node.availability, "not active")
            mend = f"docker node update --availability active {node.id}"
            yield self._about(what, mend, drained=True)
        for entry in self._dead:
            what = f"a second entry of it in the Swarm, {entry.id}, is {entry.state.capitalize()}"
            demote = f"docker node demote {entry.id} && " if entry.role == "manager" else ""
            # One that left a moment ago is Ready until its heartbeat is missed.
            mend = _LATER if entry.live else f"{demote}docker node rm {entry.id}"
            yield self._about(what, mend, _since(entry), entry.id)

    def _of_machine(self) -> Iterator[Finding]:
        machine, node = self._machine, self._node
        if self._facts.machines is None:
            return
        if machine is None:
            state = node.state.capitalize() if node else ""
            what = f"in the Swarm ({state}), but no instance of the cluster has this name"
            yield self._about(what, _SITE, _since(node) if node and not node.live else None)
        elif machine.state == "pending":
            yield Finding(self._name, f"its instance {machine.id} is starting", _LATER)
        elif machine.state != "running":
            mend = (_START if machine.state == "stopped" else _START_LATER).format(id=machine.id)
            since = _since(node) if node and not node.live else None
            yield self._about(f"its instance {machine.id} is {machine.state}", mend, since)
        elif self._facts.swarm and node is None:
            yield self._about(f"its instance {machine.id} runs, but is not in the Swarm", _SITE)

    def _on_it(self) -> Iterator[Finding]:
        look = self._facts.looks.get(self._name)
        if look is None:
            return
        trouble = _ENGINE.get(look.engine, look.engine)
        guilty = [trace for trace in look.traces if trouble and "-engine-" in trace.run]
        for trace in look.traces:
            yield self._left(trace, trouble if trace in guilty else "")
        if trouble and not guilty:
            verb = "kill --signal=SIGCONT" if look.engine == "hung" else "start"
            mend = f"ssh {self._name} sudo systemctl {verb} docker.service"
            yield self._about(f"docker.service is {trouble}", mend)

    def _left(self, trace: Trace, trouble: str) -> Finding:
        """What a run left on the node: its plan mends it, or else its undo script."""
        what = trace.words(*([f"docker.service is {trouble}"] if trouble else []))
        claim = _of_run(self._claims, trace.run)
        if claim:
            return Finding(self._name, what, claim.mend, claim.severity, trace.since, claim.cure)
        # Whoever works now holds the chaos lock. If that is not known, nothing is known.
        known = self._facts.swarm is not None and SWARM not in self._facts.blind
        ours = Cure(Way.HEAL, trace.run, self._name, trace.home)
        cure = ours if trace.undo and known else None
        by_hand = trace.mend(self._name)
        return Finding(self._name, what, by_hand, Severity.ERROR, trace.since, cure)

    def _about(
        self,
        what: str,
        mend: str,
        since: datetime | None = None,
        entry: str = "",
        drained: bool = False,
    ) -> Finding:
        """A finding that is a run's doing, or that no run's plan mentions."""
        node_id = entry or (self._node.id if self._node else "")
        name = "" if entry else self._name
        for claim in self._claims:
            if claim.covers(name, node_id, drained):
                text = f"{what}; in the undo plan of {claim.run.id}"
                return Finding(self._name, text, claim.mend, claim.severity, since, claim.cure)
        return Finding(self._name, f"{what}; no run's plan mentions it", mend, since=since)


def _blind(place: str, why: SwarmctlError) -> Finding:
    rest = ", nor the Swarm and the nodes" if place == EC2 else ""
    return Finding(place, f"could not be looked at{rest}: {_flat(why)}", why.hint or _LATER)


def _flat(fault: SwarmctlError) -> str:
    return " ".join(fault.message.split())


def _of_run(claims: Sequence[_Claim], run_id: str) -> _Claim | None:
    return next((claim for claim in claims if claim.run.id == run_id), None)


def _unlock(facts: Facts) -> str:
    return lock.CHAOS.unlock + facts.options


def _holder(held: lock.Lock) -> str:
    return f"{held.owner} until {held.until:%H:%M:%S} UTC"


def _targets(run: Journal) -> str:
    return ", ".join(dict.fromkeys(target.what for target in run.targets)) or "no target"


def _since(node: Node) -> datetime | None:
    return time_or_none(node.updated_at)
