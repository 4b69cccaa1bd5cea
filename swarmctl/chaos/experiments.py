"""Runs experiments, reverts them and finds what they left behind, on one cluster.

For the command line and for other callers, such as a web page: nothing here prints or asks. What
happens is reported to a ``Progress``, and a ``Consent`` is asked before a fault.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from swarmctl.chaos.doctor import repair
from swarmctl.chaos.doctor.collect import Access, collect
from swarmctl.chaos.doctor.evidence import Evidence
from swarmctl.chaos.doctor.examine import examine
from swarmctl.chaos.doctor.findings import EC2, Finding, repairs
from swarmctl.chaos.fault.fault import UndoAction
from swarmctl.chaos.fault.kind import Options
from swarmctl.chaos.faults import FAULTS
from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.journal.runs import Runs
from swarmctl.chaos.plan import campaign
from swarmctl.chaos.plan.plan import Plan
from swarmctl.chaos.probes.prober import BackgroundProber
from swarmctl.chaos.run import extra_replica, plan_from_swarm
from swarmctl.chaos.run.context import Request, World
from swarmctl.chaos.run.experiment import Experiment
from swarmctl.chaos.run.interrupts import Interrupts
from swarmctl.chaos.run.revert_from_journal import revert
from swarmctl.chaos.stale.pollers import Pollers
from swarmctl.chaos.world.clocks import WallClock
from swarmctl.chaos.world.live import LiveCluster
from swarmctl.chaos.world.protocols import Cluster, Consent, Managers, Progress
from swarmctl.errors import RefusedError, SwarmctlError, UsageError
from swarmctl.swarm import lock


@dataclass(frozen=True)
class Campaign:
    """The runs of one plan.

    Args:
        journals: of the runs that were made.
        planned: how many the plan asked for.
    """

    journals: tuple[Journal, ...]
    planned: int

    @property
    def inconclusive(self) -> bool:
        """Whether nothing was refuted, and a run proved nothing."""
        outcomes = {journal.outcome for journal in self.journals}
        return "inconclusive" in outcomes and outcomes <= {"held", "inconclusive"}

    @property
    def held(self) -> bool:
        """Whether every run that was planned was made, and held."""
        return len(self.journals) == self.planned and all(
            journal.outcome == "held" for journal in self.journals
        )


@dataclass(frozen=True)
class LockReverted:
    """What was done about the Swarm's chaos lock.

    Args:
        owner: who had taken it; ``""`` when there was none.
        run_id: the run whose plan it held; ``""`` when it held none.
        rebalanced: it was of a rebalance; no service has a replica too many now.
    """

    owner: str = ""
    run_id: str = ""
    rebalanced: bool = False


@dataclass(frozen=True)
class Examination:
    """What the doctor found, and what it repaired.

    Args:
        evidence: what was seen last.
        findings: what is left.
        mended: the repairs that worked.
        failed: those that did not, each with its error.
    """

    evidence: Evidence
    findings: tuple[Finding, ...]
    mended: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Experiments:
    """Everything that can be done with experiments on one cluster.

    Args:
        runs: the directory of journals.
        progress: shows what happens.
        cluster: the cluster's name; ``None``: ``$SWARMCTL_CLUSTER``, else the region's only one.
        find: finds a cluster by its name and region; replaced in tests.
    """

    runs: Runs
    progress: Progress
    cluster: str | None = None
    find: Callable[[str | None, str | None], Cluster] = field(
        default_factory=lambda: LiveCluster.find
    )

    def run(
        self,
        plan: Plan,
        consent: Consent | None = None,
        ended: Callable[[Journal], None] | None = None,
    ) -> Campaign:
        """Run a plan, with all its rounds.

        Args:
            plan: what is to be done.
            consent: asked before a fault whose targets the user did not name, or that is
                irreversible; ``None``: the user has consented already.
            ended: called with the journal of every run when it has ended, however it ended.

        Raises:
            UsageError: the plan does not fit the cluster.
            SwarmctlError: see :meth:`swarmctl.chaos.run.experiment.Experiment.run`.
        """
        with self._cluster_of(plan) as cluster:
            rounds = campaign.rounds(plan, cluster.managers().snapshot() if plan.rolling else None)
        label = f"{plan.title or plan.fault}-{datetime.now(UTC):%Y%m%d-%H%M%S}"

        def run_one(one: Plan) -> Journal:
            with self._cluster_of(plan) as cluster:
                campaign_label = label if len(rounds) > 1 else ""
                experiment = self._experiment(cluster, one, campaign_label, consent)
                try:
                    return experiment.run()
                finally:
                    if ended is not None:
                        ended(experiment.journal)

        journals = campaign.carry_out(rounds, run_one, WallClock(), plan.every_s, plan.keep_going)
        return Campaign(tuple(journals), len(rounds))

    def rehearse(self, plan: Plan) -> Journal:
        """Do what a run does before its fault, without storing or touching anything.

        Raises:
            UsageError: the plan does not fit the cluster.
            SwarmctlError: the cluster cannot be asked.
        """
        with self._cluster_of(plan) as cluster:
            return self._experiment(cluster, plan, "", None).rehearse()

    def revert(self, run_id: str | None = None, consent: Consent | None = None) -> tuple[str, ...]:
        """Carry out what is left of the undo plans in the runs directory.

        Args:
            run_id: only of this run.
            consent: asked before a command of an undo plan is run here; ``None``: the user has
                consented already.

        Returns:
            The ids of the runs that were reverted.

        Raises:
            UsageError: there is no such run.
            RefusedError: another process works in the runs directory.
            RevertFailedError: something could not be put back.
        """
        with self.runs.lock():
            found = (self.runs.load(run_id),) if run_id else self.runs.pending()
            pending = [journal for journal in found if journal.undo.pending]
            for journal in pending:
                self._revert(journal, consent)
        return tuple(journal.id for journal in pending)

    def revert_from_swarm(
        self, *, force: bool = False, replace_with: str = "", consent: Consent | None = None
    ) -> LockReverted:
        """Carry out the undo plan in the Swarm's chaos lock, wherever its run was started.

        Args:
            force: also if the process that took the lock is alive.
            replace_with: the command that replaces a terminated machine; never the plan's own.
            consent: see :meth:`revert`.

        Raises:
            BadPlanError: the plan does not fit this cluster.
            RefusedError: the lock's owner is alive, or another process works in the runs directory.
            RevertFailedError: something could not be put back.
            SwarmctlError: EC2 or the managers cannot be asked.
        """
        with self.runs.lock(), closing(self.find(self.cluster, None)) as cluster:
            engine = cluster.engine()
            found = lock.find(engine, lock.CHAOS)
            if found is None:
                return LockReverted()
            if not force:
                _refuse_if_alive(found, lock.manager_time(engine))
            extra = extra_replica.replicas(found.plan)
            if extra is not None:
                extra_replica.scale_back(engine, extra, self.progress.note)
            if found.plan is None or extra is not None:
                lock.release(engine, found.id)
                return LockReverted(str(found.owner), rebalanced=extra is not None)
            known = plan_from_swarm.here(cluster, engine.snapshot())
            journal = plan_from_swarm.read(found.plan, known)
            if replace_with:
                journal.parameters["replace_with"] = replace_with
            if journal.id in self.runs.ids():  # the whole journal, and how far it is undone
                journal = self.runs.load(journal.id)
            if journal.undo.pending:
                self.runs.save(journal)
                self._revert(journal, consent)
            else:
                lock.release(engine, found.id)
            return LockReverted(str(found.owner), journal.id)

    def examine(self, *, fix: bool = False, consent: Consent | None = None) -> Examination:
        """Find what runs left behind, on the whole cluster.

        Args:
            fix: also repair what runs did and what is safe to repair, and examine again.
            consent: see :meth:`revert`.

        Raises:
            UsageError: the cluster is unknown, or there are several.
        """
        try:
            cluster = self.find(self.cluster, None)
        except UsageError:
            raise
        except SwarmctlError as fault:
            evidence = collect(Access(self.runs, unreachable={EC2: fault}))
            return Examination(evidence, examine(evidence))
        options = f" --cluster {cluster.name}" if self.cluster else ""
        with closing(cluster):
            access = Access(self.runs, cluster, options, awaiting=self._awaiting)
            evidence = collect(access)
            findings = examine(evidence)
            if not fix or not repairs(findings):
                return Examination(evidence, findings)
            mended, failed = self._repair(findings, cluster, consent)
            evidence = collect(access)
        return Examination(evidence, examine(evidence), mended, failed)

    def _awaiting(self, trouble: str) -> None:
        self.progress.status(
            f"waiting for the overlay network to answer between all nodes: {trouble}"
        )

    def _cluster_of(self, plan: Plan) -> closing[Cluster]:
        """The cluster a plan is for, if the plan makes sense."""
        FAULTS[plan.fault].check_selection(plan.selection)
        return closing(self.find(self.cluster or plan.cluster or None, None))

    def _repair(
        self, findings: tuple[Finding, ...], cluster: Cluster, consent: Consent | None
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Make all repairs, one after the other; what worked, and what did not and why."""
        mended, failed = [], []
        for one in repairs(findings):
            try:
                repair.make(one, cluster, _Reverter(self, consent))
            except SwarmctlError as fault:
                failed.append(f"{one}: {fault.message}")
                self.progress.note(f"✗ {failed[-1]}")
            else:
                mended.append(str(one))
                self.progress.note(f"✓ {one}")
        return tuple(mended), tuple(failed)

    def _revert(self, journal: Journal, consent: Consent | None) -> None:
        self.progress.step(f"Revert {journal.id}")
        machines = [s for s in journal.undo.steps if s.action == UndoAction.REPLACE_INSTANCE]
        if machines and consent is not None:
            command = Options.of(journal.parameters).replace_with
            names = ", ".join(step.node for step in machines)
            consent([f"run here, if the machine is gone: {command}", f"to replace {names}"])
        with closing(self.find(journal.cluster, journal.region or None)) as cluster:
            revert(
                journal,
                self.runs,
                cluster.engine(),
                cluster.ec2,
                cluster.shell,
                WallClock.since(journal.started_at),
                self.progress,
            )

    def _behind_load_balancer(self, cluster: Cluster, plan: Plan, managers: Managers) -> Plan:
        """The plan with probes of what users request through the cluster's load balancer.

        What only the load balancer may reach is not probed directly.
        """
        swarm = managers.snapshot()
        if plan.find_urls:
            try:
                plan = plan.with_urls(cluster.urls(swarm))
            except SwarmctlError as fault:
                self.progress.note(f"not probed through a load balancer: {fault.message}")
        try:
            balanced = tuple(cluster.balanced(swarm))
        except SwarmctlError as fault:
            self.progress.note(f"the security groups could not be read: {fault.message}")
            return plan
        return replace(plan, balanced=balanced)

    def _experiment(
        self, cluster: Cluster, plan: Plan, label: str, consent: Consent | None
    ) -> Experiment:
        clock, managers = WallClock(), cluster.managers()
        plan = self._behind_load_balancer(cluster, plan, managers)
        ask = plan.selection.drawn or FAULTS[plan.fault].irreversible
        world = World(
            managers=managers,
            ec2=cluster.ec2,
            shell=cluster.shell,
            clock=clock,
            events=cluster.events(),
            prober=BackgroundProber(plan.probes, clock.now),
            interrupts=Interrupts(),
            progress=self.progress,
            listeners=Pollers(lambda: cluster.sources(plan.listeners), clock.now),
            renewer=cluster.engine(),
            consent=consent if ask else None,
        )
        return Experiment(Request(plan, cluster.name, cluster.region, self.runs, label), world)


@dataclass(frozen=True)
class _Reverter:
    """What the doctor's repairs call."""

    experiments: Experiments
    consent: Consent | None

    def revert(self, run_id: str) -> object:
        return self.experiments.revert(run_id, self.consent)

    def revert_from_swarm(self) -> object:
        return self.experiments.revert_from_swarm(consent=self.consent)


def _refuse_if_alive(found: lock.Lock, now: datetime) -> None:
    if not found.owned(now):
        return
    here = found.owner.alive
    seen = "its process runs on this machine" if here else f"until {found.alive_until:%H:%M:%S} UTC"
    raise RefusedError(
        f"the Swarm's chaos lock belongs to {found.owner}, which counts as alive: {seen}",
        f"wait for it to end; if you are sure that it is gone: {lock.CHAOS.unlock} --force",
    )
