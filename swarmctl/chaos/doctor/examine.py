"""From evidence to findings: what runs left behind. Pure functions.

A finding that a run's undo plan or its traces on a node explain is an error: a run did it. One
that no plan mentions may be on purpose: a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from swarmctl.chaos.doctor.evidence import Evidence, electing, unheard_of
from swarmctl.chaos.doctor.findings import (
    EC2,
    NETWORK,
    SWARM,
    Finding,
    Repair,
    RepairKind,
    Severity,
)
from swarmctl.chaos.doctor.inspect_nodes import Trace
from swarmctl.chaos.fault.fault import UndoAction
from swarmctl.chaos.journal.journal import Journal
from swarmctl.discovery.leaving import is_draining
from swarmctl.errors import SwarmctlError
from swarmctl.network import finding as network
from swarmctl.reading.commands import on_node, word
from swarmctl.reading.times import time_or_none
from swarmctl.swarm import lock
from swarmctl.swarm.node import Node

_SITE = "ansible-playbook playbooks/site.yml"
_LATER = "swarmctl chaos doctor"  # nothing to do yet
_START = "aws ec2 start-instances --instance-ids {id}"
_START_LATER = f"aws ec2 wait instance-stopped --instance-ids {{id}} && {_START}"
# "none": without an Engine the machine is no member of the Swarm, which is a finding itself.
_ENGINE = {"active": "", "none": "", "hung": "stopped by a signal (SIGSTOP)"}


@dataclass(frozen=True, slots=True)
class _Claim:
    """A run that is not undone, and how to undo it."""

    run: Journal
    command: str
    repair: Repair | None
    in_use: str = ""  # why it may be under way

    @property
    def severity(self) -> Severity:
        return Severity.WARNING if self.in_use else Severity.ERROR

    def finding(self, place: str, what: str, since: datetime | None) -> Finding:
        """A finding that its plan undoes."""
        return Finding(place, what, self.command, self.severity, since, self.repair)

    def covers(self, name: str, node_id: str, drained: bool) -> bool:
        """Whether its plan is about this node, and about this kind of trouble."""
        return any(
            (step.node == name or step.node_id == node_id)
            and (step.action == UndoAction.ACTIVATE_NODE) == drained
            for step in self.run.undo.steps
        )


def examine(evidence: Evidence) -> tuple[Finding, ...]:
    """All findings: in the runs directory, in EC2 and the Swarm, and on the nodes by name."""
    claims = _claims(evidence)
    machines = [machine.name for machine in evidence.machines or ()]
    members = [node.hostname for node in evidence.swarm.nodes] if evidence.swarm else []
    names = dict.fromkeys([*machines, *members])
    return (
        *_in_runs(evidence, claims),
        *(
            _not_examined(place, evidence.unreachable[place])
            for place in (EC2, SWARM)
            if place in evidence.unreachable
        ),
        *_locks(evidence, claims),
        *(found for name in names for found in _NodeExaminer(evidence, claims, name).findings()),
        *_of_network(evidence),
    )


def _of_network(evidence: Evidence) -> Iterator[Finding]:
    """Errors only: a warning of the network may be on purpose, and no run leaves one."""
    if NETWORK in evidence.unreachable:
        yield _not_examined(NETWORK, evidence.unreachable[NETWORK])
    for found in evidence.network:
        if found.severity is network.Severity.ERROR:
            what = f"{found.place}: {found.what}"
            yield Finding(NETWORK, what, found.remedy, Severity.ERROR)


def _claims(evidence: Evidence) -> list[_Claim]:
    """The runs that are not undone; the one in the Swarm's lock only if it has no journal here."""
    where = "" if evidence.runs_dir == "runs" else f" --runs-dir {word(str(evidence.runs_dir))}"
    in_use = f"process {evidence.in_use} works in {evidence.runs_dir}" if evidence.in_use else ""
    claims: list[_Claim] = []
    for run in evidence.pending:
        ours = evidence.machines is not None and run.cluster == evidence.cluster
        can = Repair(RepairKind.REVERT, run.id) if ours and not in_use else None
        command = _LATER if in_use else f"swarmctl chaos revert {run.id}{where}"
        claims.append(_Claim(run, command, can, in_use))
    held = evidence.chaos
    if (
        held
        and held.plan
        and held.plan.id not in evidence.undone | {r.id for r in evidence.pending}
    ):
        in_use = "" if held.dead else _holder(held.lock)
        repair = None if in_use else Repair(RepairKind.FROM_SWARM, held.lock.id)
        command = _LATER if held.alive else _unlock(evidence) + where
        claims.append(_Claim(held.plan, command, repair, in_use))
    return claims


def _in_runs(evidence: Evidence, claims: Sequence[_Claim]) -> Iterator[Finding]:
    place = f"{evidence.runs_dir}/"
    for why in evidence.unreadable.values():
        yield Finding(place, _flat(why), why.hint, Severity.ERROR)
    for claim in claims:
        run = claim.run
        if run not in evidence.pending:
            continue
        what = f"{run.id} is not undone: {run.experiment} of {_targets(run)}"
        if run.cluster != evidence.cluster:
            what += f", in the cluster {run.cluster}"
        what += f"; the last try failed: {run.undo.detail}" if run.undo.detail else ""
        what += f"; it may be under way, {claim.in_use}" if claim.in_use else ""
        since = datetime.fromisoformat(run.started_at)
        yield claim.finding(place, what, since)


def _locks(evidence: Evidence, claims: Sequence[_Claim]) -> Iterator[Finding]:
    for fault in evidence.bad_locks:
        yield Finding(SWARM, _flat(fault), fault.hint, Severity.ERROR)
    for stack, stale in evidence.stale.items():
        subject = lock.of_stack(stack)
        what = (
            f"{subject.what} is locked by {stale.owner}; its process is gone, or its time is over"
        )
        free = stale.plan is None
        repair = Repair(RepairKind.RELEASE, stale.id) if free else None
        yield Finding(
            SWARM, what, subject.unlock + evidence.options, since=stale.since, repair=repair
        )
    held = evidence.chaos
    if held is None:
        return
    claim = _of_run(claims, held.plan.id) if held.plan else None
    what = f"locked for chaos by {_holder(held.lock)}"
    if claim and held.plan:
        what += f"; it holds the plan that undoes {held.plan.id} ({_targets(held.plan)})"
        what += "; it may be at work" if claim.in_use else ""
        yield claim.finding(SWARM, what, held.lock.since)
        return
    if held.extra is not None:
        kind = RepairKind.FROM_SWARM
        what += "; a service may have a replica too many" if held.dead else ""
    else:  # no plan, or one that is carried out: it can be released
        kind = RepairKind.RELEASE
    left = "" if held.extra is not None else "; nothing is left to undo"
    what += left if held.dead else "; it may be at work"
    repair = Repair(kind, held.lock.id) if held.dead else None
    command = _LATER if held.alive else _unlock(evidence)
    yield Finding(SWARM, what, command, since=held.lock.since, repair=repair)


class _NodeExaminer:
    """Everything about one node."""

    def __init__(self, evidence: Evidence, claims: Sequence[_Claim], name: str) -> None:
        self._evidence, self._claims, self._name = evidence, claims, name
        self._machine = next((m for m in evidence.machines or () if m.name == name), None)
        members = evidence.swarm.nodes if evidence.swarm else ()
        entries = [node for node in members if node.hostname == name]
        # A machine that left and joined again is listed twice; the live entry is the node.
        entries.sort(key=lambda node: (node.live, node.updated_at), reverse=True)
        self._node: Node | None = entries[0] if entries else None
        self._dead = entries[1:]

    def findings(self) -> Iterator[Finding]:
        """What is wrong with its machine, on it, and with its entries in the Swarm."""
        reasons = [*self._of_machine(), *self._on_it()]
        yield from reasons
        if self._name in self._evidence.unreachable:
            yield _not_examined(self._name, self._evidence.unreachable[self._name])
        node = self._node
        if node and not node.live and not reasons:
            what = f"the managers call it {node.state.capitalize()}"
            command = on_node(self._name, "sudo systemctl restart docker")
            swarm = self._evidence.swarm
            if swarm and (electing(swarm) or unheard_of(swarm, node)):
                what += "; they are electing a leader, or the new one has not heard from it: wait"
                command = _LATER
            yield self._about(what, command, _since(node))
        if node and node.availability != "active":
            what = {"drain": "drained", "pause": "paused"}.get(node.availability, "not active")
            command = f"docker node update --availability active {word(node.id)}"
            if is_draining(node):  # by `swarmctl node drain`, which may have left more than that
                command = f"swarmctl node activate {word(self._name)}"
            yield self._about(what, command, drained=True)
        for entry in self._dead:
            what = f"a second entry of it in the Swarm, {entry.id}, is {entry.state.capitalize()}"
            demote = f"docker node demote {word(entry.id)} && " if entry.role == "manager" else ""
            # One that left a moment ago is Ready until its heartbeat is missed.
            command = _LATER if entry.live else f"{demote}docker node rm {word(entry.id)}"
            yield self._about(what, command, _since(entry), entry.id)

    def _of_machine(self) -> Iterator[Finding]:
        machine, node = self._machine, self._node
        if self._evidence.machines is None:
            return
        if machine is None:
            state = node.state.capitalize() if node else ""
            what = f"in the Swarm ({state}), but no instance of the cluster has this name"
            yield self._about(what, _SITE, _since(node) if node and not node.live else None)
        elif machine.state == "pending":
            yield Finding(self._name, f"its instance {machine.id} is starting", _LATER)
        elif machine.state != "running":
            command = (_START if machine.state == "stopped" else _START_LATER).format(
                id=word(machine.id)
            )
            since = _since(node) if node and not node.live else None
            yield self._about(f"its instance {machine.id} is {machine.state}", command, since)
        elif self._evidence.swarm and node is None:
            yield self._about(f"its instance {machine.id} runs, but is not in the Swarm", _SITE)

    def _on_it(self) -> Iterator[Finding]:
        report = self._evidence.reports.get(self._name)
        if report is None:
            return
        trouble = _ENGINE.get(report.engine, report.engine)
        guilty = [trace for trace in report.traces if trouble and "-engine-" in trace.run]
        for trace in report.traces:
            yield self._left(trace, trouble if trace in guilty else "")
        if trouble and not guilty:
            verb = "kill --signal=SIGCONT" if report.engine == "hung" else "start"
            command = on_node(self._name, f"sudo systemctl {verb} docker.service")
            yield self._about(f"docker.service is {trouble}", command)

    def _left(self, trace: Trace, trouble: str) -> Finding:
        """What a run left on the node: its plan repairs it, or else its undo script."""
        what = trace.words(*([f"docker.service is {trouble}"] if trouble else []))
        claim = _of_run(self._claims, trace.run)
        if claim:
            return Finding(
                self._name, what, claim.command, claim.severity, trace.since, claim.repair
            )
        # A run under way holds the chaos lock: without an answer about it, nothing is repaired.
        known = self._evidence.swarm is not None and SWARM not in self._evidence.unreachable
        ours = Repair(RepairKind.HEAL, trace.run, self._name, trace.home)
        repair = ours if trace.undo and known else None
        by_hand = trace.remove_command(self._name)
        return Finding(self._name, what, by_hand, Severity.ERROR, trace.since, repair)

    def _about(
        self,
        what: str,
        command: str,
        since: datetime | None = None,
        entry: str = "",
        drained: bool = False,
    ) -> Finding:
        """A finding, with the run whose plan mentions it, if there is one."""
        node_id = entry or (self._node.id if self._node else "")
        name = "" if entry else self._name
        for claim in self._claims:
            if claim.covers(name, node_id, drained):
                text = f"{what}; in the undo plan of {claim.run.id}"
                return claim.finding(self._name, text, since)
        return Finding(self._name, f"{what}; no run's plan mentions it", command, since=since)


def _not_examined(place: str, why: SwarmctlError) -> Finding:
    rest = ", nor the Swarm and the nodes" if place == EC2 else ""
    return Finding(place, f"could not be examined{rest}: {_flat(why)}", why.hint or _LATER)


def _flat(fault: SwarmctlError) -> str:
    return " ".join(fault.message.split())


def _of_run(claims: Sequence[_Claim], run_id: str) -> _Claim | None:
    return next((claim for claim in claims if claim.run.id == run_id), None)


def _unlock(evidence: Evidence) -> str:
    return lock.CHAOS.unlock + evidence.options


def _holder(held: lock.Lock) -> str:
    return f"{held.owner} until {held.until:%H:%M:%S} UTC"


def _targets(run: Journal) -> str:
    return ", ".join(dict.fromkeys(target.what for target in run.targets)) or "no target"


def _since(node: Node) -> datetime | None:
    return time_or_none(node.updated_at)
