"""What was seen that the hypothesis does not allow."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from swarmctl.chaos.journal.journal import ProbeSummary, Sample, Unseen
from swarmctl.chaos.plan.hypothesis import Hypothesis
from swarmctl.chaos.probes.planned import ALL
from swarmctl.chaos.run.judging.reasons import (
    BelowMinimum,
    OutageTooLong,
    ProbesLost,
    Reason,
    Unwatched,
)
from swarmctl.errors import UsageError
from swarmctl.swarm.model import Service


def require_probes(
    hypothesis: Hypothesis, services: Collection[Service], fixed: Collection[str]
) -> None:
    """A limit of which no probe is counted would hold whatever happens.

    Args:
        hypothesis: what is expected.
        services: those that are probed.
        fixed: the names of the probes that do not move.

    Raises:
        UsageError: the hypothesis limits what is not probed.
    """
    probed = {*(service.name for service in services), *fixed}
    limited = set(hypothesis.tolerances) - ({ALL} if probed else set())
    if missing := ", ".join(sorted(limited - probed)):
        raise UsageError(
            f"the hypothesis has limits for what is not probed: {missing}",
            f"leave them out; probed: {', '.join(sorted(probed)) or 'nothing'}",
        )
    if hypothesis.every_node_success is not None and not services:
        raise UsageError(
            "every-node-success needs a published service that is probed",
            "leave it out, or publish and probe a service",
        )


def broken(
    hypothesis: Hypothesis,
    fault_s: float,
    samples: Sequence[Sample],
    probes: Sequence[ProbeSummary],
    every_node: Sequence[ProbeSummary] = (),
    unseen: Sequence[Unseen] = (),
) -> tuple[Reason, ...]:
    """The tolerances of a hypothesis that were not kept.

    Args:
        hypothesis: with numbers of replicas (``Hypothesis.resolved``).
        fault_s: when the fault came, in run time.
        samples: replicas that served, whenever that changed.
        probes: counted since the fault.
        every_node: the same for clients that go on using every node; empty when no node is lost:
            then all clients do.
        unseen: stretches without a snapshot.
    """
    return (
        *_below_minimum(hypothesis, fault_s, samples, unseen),
        *_too_silent(hypothesis, probes),
        *_too_silent_for_every_node(hypothesis, every_node or probes),
    )


def _below_minimum(
    hypothesis: Hypothesis, fault_s: float, samples: Sequence[Sample], unseen: Sequence[Unseen]
) -> Iterator[Reason]:
    after = [sample for sample in samples if sample.at_s >= fault_s]
    for service, minimum in hypothesis.never_below.items():
        least = min(after, key=lambda sample: sample.services.get(service, 0), default=None)
        if least is not None and (serving := least.services.get(service, 0)) < minimum:
            yield BelowMinimum(service, serving, minimum, least.at_s - fault_s)
            continue
        dark = min(unseen, key=lambda one: one.kept.get(service, 0), default=None)
        if dark is not None and (kept := dark.kept.get(service, 0)) < minimum:
            lasted_s = dark.until_s - dark.since_s
            yield Unwatched(service, kept, minimum, dark.since_s - fault_s, lasted_s)


def _too_silent(hypothesis: Hypothesis, probes: Sequence[ProbeSummary]) -> Iterator[Reason]:
    for probe in probes:
        allowed = hypothesis.tolerances.get(probe.service) or hypothesis.tolerances.get(ALL)
        if allowed is None or not probe.sent:
            continue
        success, outage_s = 1 - probe.lost / probe.sent, probe.longest_outage_s
        if allowed.success is not None and success < allowed.success:
            yield ProbesLost(probe.service, success, probe.sent, allowed.success)
        if allowed.longest_outage_s is not None and outage_s > allowed.longest_outage_s:
            yield OutageTooLong(probe.service, outage_s, allowed.longest_outage_s)


def _too_silent_for_every_node(
    hypothesis: Hypothesis, probes: Sequence[ProbeSummary]
) -> Iterator[Reason]:
    allowed, sent = hypothesis.every_node_success, sum(probe.sent for probe in probes)
    if allowed is None or not sent:
        return
    success = 1 - sum(probe.lost for probe in probes) / sent
    if success < allowed:
        yield ProbesLost("clients of every node", success, sent, allowed)
