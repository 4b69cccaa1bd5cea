"""The real world for the chaos commands: a cluster's machines, managers and shells; reverts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from swarmctl.cli.show.experiment import ConsoleProgress

if TYPE_CHECKING:
    from swarmctl.chaos.journal.journal import Journal
    from swarmctl.chaos.journal.runs import Runs
    from swarmctl.cloud.instances import Cloud
    from swarmctl.cluster import Target


class Reality:
    """The cluster a command means: EC2, the managers, and the nodes' own shells."""

    def __init__(self, cluster: str | None, region: str | None = None) -> None:
        """Ask EC2 which machines there are.

        Raises:
            SwarmctlError: there is no such cluster, or no manager of it runs.
        """
        from swarmctl.cloud.instances import Cloud
        from swarmctl.cluster import resolve
        from swarmctl.swarm.shell import Shells

        self.ec2: Cloud = Cloud(region)
        self.target: Target = resolve(cluster, cloud=lambda: self.ec2)
        self.shells = Shells(self._nodes)

    def _nodes(self) -> dict[str, Any]:
        from swarmctl.cluster import endpoint

        return {i.name: endpoint(i) for i in self.ec2.instances(self.target.cluster)}

    def snapshot(self) -> Any:
        """Everything the managers know now."""
        with self.target.connect() as client:
            return client.snapshot()

    def close(self) -> None:
        """End all connections."""
        self.shells.close()


def revert_run(runs: Runs, journal: Journal) -> None:
    """Carry out a run's undo plan, and show how it goes.

    Raises:
        RevertFailedError: something could not be put back.
        SwarmctlError: EC2 cannot be asked.
    """
    from swarmctl.chaos.run.revert_from_journal import revert
    from swarmctl.chaos.world.clocks import WallClock
    from swarmctl.chaos.world.live import LiveManagers
    from swarmctl.chaos.world.reconnect import ReconnectingEngine
    from swarmctl.cloud.instances import Cloud
    from swarmctl.cluster import endpoint, manager_endpoints
    from swarmctl.swarm.engine import Engine
    from swarmctl.swarm.shell import Shells

    progress = ConsoleProgress()
    progress.step(f"Revert {journal.id}")
    ec2 = Cloud(journal.region or None)

    def connect() -> Engine:
        return LiveManagers(
            manager_endpoints(journal.cluster, ec2.instances(journal.cluster))
        ).engine

    shells = Shells(lambda: {i.name: endpoint(i) for i in ec2.instances(journal.cluster)})
    clock = WallClock.since(journal.started_at)
    try:
        revert(journal, runs, ReconnectingEngine(connect), ec2, shells, clock, progress)
    finally:
        progress.close()
        shells.close()


def revert_from_swarm(runs: Runs, cluster: str | None) -> str:
    """Carry out the plan of a run whose directory is elsewhere, or lost.

    Args:
        runs: where its journal is kept from now on.
        cluster: the cluster, if the region has several.

    Returns:
        What was done, in a sentence.

    Raises:
        RevertFailedError: something could not be put back.
        SwarmctlError: EC2 or the managers cannot be asked.
    """
    from swarmctl.chaos.journal.runs import from_brief
    from swarmctl.swarm import lock
    from swarmctl.swarm.engine import SwarmEngine

    world = Reality(cluster)
    try:
        with world.target.failover() as swarm:
            engine = SwarmEngine(swarm)
            found = lock.find(engine, lock.CHAOS)
            if found is None:
                return "the Swarm's chaos lock is free: nothing left to undo"
            if found.plan is None:
                lock.release(engine, found.id)
                return f"gave up the lock of {found.owner}; it holds no plan"
            journal = from_brief(found.plan)
            if journal.id in runs.ids():  # the whole of it, and how far it is undone
                journal = runs.load(journal.id)
            if journal.undo.pending:
                runs.save(journal)
                revert_run(runs, journal)
            else:
                lock.release(engine, found.id)
    finally:
        world.close()
    return f"reverted {journal.id}"
