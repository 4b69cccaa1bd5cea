"""A controlled experiment: break something, see whether the Swarm recovers, put it back.

The lists of steps are the table of contents; docs/chaos.md has the same rows. Whatever ends a run —
a verdict, an error, Ctrl-C, SIGTERM — the undo plan is carried out first; only ``kill -9`` leaves
that to ``chaos revert``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from swarmctl.chaos.journal.journal import Journal, ProbeRecord, ProbeSummary, Undo
from swarmctl.chaos.journal.phases import phases
from swarmctl.chaos.probes import summary
from swarmctl.chaos.probes.probe import Client
from swarmctl.chaos.run.context import Context, Request, World, make_context
from swarmctl.chaos.run.interrupts import InterruptedRunError
from swarmctl.chaos.run.steps import (
    baseline,
    check_guards,
    fault,
    final_check,
    observation,
    revert,
    steady_state,
    undo_plan,
)
from swarmctl.errors import RefusedError

Step = Callable[[Context], None]

# They touch nothing; all guards report, also after one that refuses.
REHEARSAL: Sequence[Step] = (
    check_guards.leftovers,
    baseline.take,
    baseline.predict,
    check_guards.report,
)
EXPERIMENT: Sequence[Step] = (
    *REHEARSAL,
    check_guards.refuse,
    steady_state.watch,
    undo_plan.ask_consent,
    undo_plan.store,
    fault.inject,
    observation.observe,
)


class Experiment:
    """One run. ``journal`` holds everything known about it at any time."""

    def __init__(self, request: Request, world: World) -> None:
        """Prepare a run; touches nothing.

        Raises:
            UsageError: there is no such fault, or it is not about such targets.
        """
        self._context = make_context(request, world)

    @property
    def journal(self) -> Journal:
        """What is known."""
        return self._context.journal

    def run(self) -> Journal:
        """Run it to its end.

        Returns:
            The journal; its ``outcome`` is ``held``, ``refuted`` or ``inconclusive``.

        Raises:
            RefusedError: a guard forbids it; nothing was touched.
            InterruptedRunError: a signal came; everything is put back.
            RevertFailedError: something could not be put back.
            SwarmctlError: anything else; everything is put back.
        """
        context = self._context
        with context.log.runs.lock(), context.world.interrupts:
            try:
                try:
                    for step in EXPERIMENT:
                        step(context)
                finally:
                    revert.put_back(context)
                final_check.check(context)
            except BaseException as error:
                self._end(_outcome(error))
                raise
            assert self.journal.verdict is not None
            self._end(self.journal.verdict.outcome)
        return self.journal

    def rehearse(self) -> Journal:
        """Take the steps that touch nothing.

        Returns:
            The journal: targets, guards, prediction, and the undo plan there would be. It is not
            stored.

        Raises:
            SwarmctlError: the Swarm or EC2 cannot be asked.
        """
        context = self._context
        context.log.stored = False
        with context.world.interrupts:
            for step in REHEARSAL:
                step(context)
            self.journal.undo = Undo("none", context.fault.undo_steps(self.journal.targets))
            self.journal.outcome = "rehearsed"
        return self.journal

    def _end(self, outcome: str) -> None:
        journal, prober = self.journal, self._context.world.prober
        prober.close()
        journal.outcome, journal.phase = outcome, "ended"
        journal.ended_s = round(self._context.log.clock.now(), 3)
        journal.probes, journal.probe_log = self._probes(Client.NODES_LEFT)
        journal.every_node, journal.every_node_log = self._probes(Client.EVERY_NODE)
        journal.load_balancer, journal.load_balancer_log = self._probes(Client.LOAD_BALANCER)
        recorder, results = self._context.watch.observer.recorder, prober.results()
        journal.listeners = recorder.finish(results, self._context.log.clock.now())
        journal.phases = phases(journal)
        self._context.log.try_save()

    def _probes(self, client: Client) -> tuple[tuple[ProbeSummary, ...], tuple[ProbeRecord, ...]]:
        """The probes that stand for a client: counted, and each."""
        results = summary.of_client(self._context.world.prober.results(), client)
        return summary.summaries(results), summary.records(results)


def _outcome(error: BaseException) -> str:
    if isinstance(error, revert.RevertFailedError):
        return "revert-failed"
    if isinstance(error, InterruptedRunError | KeyboardInterrupt):
        return "interrupted"
    return "refused" if isinstance(error, RefusedError) else "error"
