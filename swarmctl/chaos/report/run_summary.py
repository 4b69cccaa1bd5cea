"""The main figures of a run, for tables and JSON."""

from __future__ import annotations

from dataclasses import dataclass

from swarmctl.chaos.journal.journal import GuardRecord, Journal, Recovery, recovery
from swarmctl.chaos.journal.phases import phases
from swarmctl.chaos.report.placement import agrees


@dataclass(frozen=True, slots=True)
class RunSummary:
    """The figures of one run.

    Args:
        started_at: ISO 8601.
        title: of the experiment's file.
        outcome: the journal's; ``""`` for a run that has not ended.
        phases: see :mod:`swarmctl.chaos.journal.phases`.
        probes: how many were sent.
        lost: how many of them were lost.
        longest_outage_s: of any probed service; ``None`` when nothing was probed.
        every_node_probes: how many were sent as clients do that go on using every node, from the
            fault to the revert; 0 when no node was lost.
        every_node_lost: how many of them were lost.
        load_balancer_probes: how many were sent through the load balancer.
        load_balancer_lost: how many of them were lost.
        replicas: how many were lost, moved and kept; ``None`` without a verdict.
        agreed: whether a predicted outcome was seen; ``None`` without a prediction.
        overridden: the guards that refused and were overridden.
        duplicates: replicas that ran twice, by service.
    """

    id: str
    started_at: str
    fault: str
    title: str
    targets: tuple[str, ...]
    outcome: str
    phases: dict[str, float | None]
    probes: int
    lost: int
    longest_outage_s: float | None
    every_node_probes: int
    every_node_lost: int
    load_balancer_probes: int
    load_balancer_lost: int
    replicas: Recovery | None
    agreed: bool | None
    overridden: tuple[str, ...]
    duplicates: dict[str, int]


def summarize(journal: Journal) -> RunSummary:
    """The summary of a journal."""
    return RunSummary(
        id=journal.id,
        started_at=journal.started_at,
        fault=journal.experiment,
        title=journal.title,
        targets=tuple(target.what for target in journal.targets),
        outcome=journal.outcome,
        phases=phases(journal),
        probes=sum(probe.sent for probe in journal.probes),
        lost=sum(probe.lost for probe in journal.probes),
        longest_outage_s=max((p.longest_outage_s for p in journal.probes), default=None),
        every_node_probes=sum(probe.sent for probe in journal.every_node),
        every_node_lost=sum(probe.lost for probe in journal.every_node),
        load_balancer_probes=sum(probe.sent for probe in journal.load_balancer),
        load_balancer_lost=sum(probe.lost for probe in journal.load_balancer),
        replicas=recovery(journal.verdict.services) if journal.verdict else None,
        agreed=agrees(journal),
        overridden=tuple(guard.name for guard in overridden(journal)),
        duplicates={name: count for name, count in journal.duplicates.items() if count},
    )


def overridden(journal: Journal) -> tuple[GuardRecord, ...]:
    """The guards that refused and were overridden."""
    return tuple(guard for guard in journal.guards if guard.overridden)
