"""The words of a verdict: reasons, services and the sentence, as the journal keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from swarmctl.chaos.journal.journal import Recovery, ServiceOutcome, Verdict, recovery
from swarmctl.chaos.run.judging.judgement import Judgement, ServiceJudgement
from swarmctl.chaos.run.judging.reasons import (
    BelowMinimum,
    Cause,
    CutOff,
    EndpointSilent,
    FaultEnded,
    FaultUnfinished,
    FaultUnseen,
    ManagersSilent,
    Missing,
    NeverBack,
    NoProof,
    NotBack,
    OutageTooLong,
    Outlived,
    ProbesLost,
    Reason,
    Removed,
    Scaled,
    Shortage,
    TargetUp,
    TooLate,
    Unsettled,
    Unwatched,
    Updated,
    refutes,
)


@dataclass(frozen=True, slots=True)
class Result:
    """What a run found.

    Args:
        judgement: of the last snapshot.
        targets: names of what was lost.
        past_tense: what happened to them; completes "swarm_app_wkr2 …".
        took_s: seconds from a loss until full strength, of the slowest return to it; else until
            the run gave up waiting.
        redistributed_s: when it held, in run time.
        reasons: why the hypothesis is refuted; empty when it held.
        tasks_only: whether the targets are single tasks.
        meanwhile: what others changed in the Swarm, and when.
    """

    judgement: Judgement
    targets: tuple[str, ...]
    past_tense: str
    took_s: float
    redistributed_s: float | None
    reasons: tuple[Reason, ...]
    tasks_only: bool = False
    meanwhile: tuple[str, ...] = ()


def verdict(result: Result) -> Verdict:
    """A result as the journal keeps it."""
    services = tuple(map(_outcome, result.judgement.services))
    reasons = tuple(map(reason, result.reasons))
    held = not reasons
    inconclusive = not held and not any(map(refutes, result.reasons))
    badge = "HELD" if held else "INCONCLUSIVE" if inconclusive else "REFUTED"
    why = f": {'; '.join(reasons)}" if reasons else ""
    meanwhile = f"; meanwhile: {', '.join(result.meanwhile)}" if result.meanwhile else ""
    return Verdict(
        held,
        f"{badge}: {_targets(result)}; {_recovery(result, services)}{why}{meanwhile}",
        services,
        reasons,
        result.redistributed_s if held else None,
        inconclusive,
        result.meanwhile,
    )


_WORDS: dict[type, str] = {
    TargetUp: "{0.node}: the managers do not call it Down",
    ManagersSilent: "no manager answers: {0.error}",
    CutOff: "from {0.at_s:+.1f} s on, for {0.lasted_s:.1f} s, no manager, no other node and no "
    "probe answered: this machine may have been cut off, and what happened meanwhile is not known",
    FaultUnfinished: "the fault was not complete in time",
    TooLate: "full strength after {0.took_s:.1f} s, allowed: {0.within_s:g} s",
    EndpointSilent: "{0.endpoint}",
    BelowMinimum: "{0.service} had {0.serving} replicas at +{0.at_s:.1f} s, minimum: {0.minimum}",
    ProbesLost: "{0.service}: {0.success:.2%} of {0.sent} probes succeeded, "
    "minimum: {0.minimum:.2%}",
    OutageTooLong: "{0.service}: an outage of {0.outage_s:.1f} s, allowed: {0.allowed_s:g} s",
    Unwatched: "the Swarm was not observed for {0.lasted_s:.1f} s from {0.at_s:+.1f} s on: "
    "{0.service} may have had only {0.kept} replicas, minimum: {0.minimum}",
    FaultEnded: "the fault ended by itself at +{0.at_s:.1f} s: {0.what}",
    FaultUnseen: "the fault was seen in force for {0.lasted_s:.1f} s only, of {0.wanted_s:g} s",
    Updated: "{0.what} by another client: new tasks show no recovery",
    NeverBack: "{0.service}: the replica {0.where} cannot come back ({0.why}); start it again: "
    "docker service update --force {0.service}",
    Unsettled: "full strength lasted {0.lasted_s:.1f} s, needed: {0.wanted_s:.1f} s",
    Outlived: "a replica of {0.service} failed after it had run for {0.lived_s:.0f} s; full "
    "strength was watched for {0.watched_s:.0f} s only",
    NotBack: "not back after the revert: {0.error}",
    Missing: "{0.explanation}",
    Scaled: "scaled from {0.before} to {0.after} during the run",
    Removed: "the service was removed during the run",
}


def reason(why: Reason | Cause) -> str:
    """One reason, in one line."""
    match why:
        case Shortage(service, serving, wanted, causes):
            return f"{service} {serving}/{wanted}: {'; '.join(map(reason, causes))}"
        case NoProof(task_id, early_s, existed):
            doubt = "has no creation time"
            if existed:
                doubt = "existed before the fault"
            elif early_s is not None:
                doubt = f"was created {early_s:.1f} s before the fault"
            return f"task {task_id[:12]} runs, but {doubt}"
        case _:
            return _WORDS[type(why)].format(why)


def _outcome(service: ServiceJudgement) -> ServiceOutcome:
    return ServiceOutcome(
        service.service,
        service.mode,
        service.wanted,
        service.lost,
        service.stayed,
        len(service.replaced),
        tuple(map(reason, service.causes)),
    )


def _recovery(result: Result, services: Sequence[ServiceOutcome]) -> str:
    """What became of the replicas: moved and kept are different things."""
    found, parts = recovery(services), []
    after = f"after {result.took_s:.1f} s"
    if found.lost:
        where = "again" if result.tasks_only else "elsewhere"
        noun = "replica runs" if found.lost == 1 else "replicas run"
        parts.append(f"{found.moved} of {found.lost} lost {noun} {where} {after}")
    if found.restarted:
        parts.append(f"{found.restarted} restarted" + ("" if found.lost else f" {after}"))
    return "; ".join([*parts, _kept(found)])


def _kept(found: Recovery) -> str:
    if found.lost or found.restarted:
        return f"{found.kept} kept running"
    if found.kept >= found.wanted:
        return f"all {found.kept} replicas kept running"
    return f"{found.kept} of {found.wanted} replicas kept running"


def _targets(result: Result) -> str:
    several = len(result.targets) > 1
    verb = result.past_tense.replace("was ", "were ", 1) if several else result.past_tense
    return f"{_listing(result.targets)} {verb}"


def _listing(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
