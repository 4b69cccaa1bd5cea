"""The sentences of all reports."""

from __future__ import annotations

from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.report.placement import agrees
from swarmctl.chaos.report.run_summary import summarize
from swarmctl.prediction.record import PredictionRecord

NONE = "-"
OUTCOMES = {
    "held": "HELD",
    "refuted": "REFUTED",
    "inconclusive": "INCONCLUSIVE",
    "refused": "REFUSED",
    "interrupted": "INTERRUPTED",
    "error": "ENDED BY AN ERROR",
    "revert-failed": "REVERT FAILED",
}


def badge(journal: Journal) -> str:
    """How the run ended, in capitals."""
    return OUTCOMES.get(journal.outcome, "NOT ENDED")


def outcome(journal_outcome: str) -> str:
    """How a run ended, in a table."""
    return journal_outcome if journal_outcome in OUTCOMES else "not ended"


def title(journal: Journal) -> str:
    """The fault and its targets."""
    targets = ", ".join(target.what for target in journal.targets)
    return f"{journal.experiment} of {targets or 'nothing'}"


def result(journal: Journal) -> str:
    """The badge and one sentence: verdict and probes, or why there is no verdict."""
    return f"{badge(journal)}{_after_badge(journal)}"


def result_without_badge(journal: Journal) -> str:
    """:func:`result` for places that show the badge themselves."""
    text = _after_badge(journal).lstrip(": ")
    return text[:1].upper() + text[1:] if journal.verdict is None else text


def _after_badge(journal: Journal) -> str:
    if journal.verdict is None:
        names = ", ".join(guard.name for guard in journal.refusals)
        by = f" by guard {names}" if names and journal.outcome == "refused" else ""
        return f"{by}: no verdict; {_reverted(journal)}"
    verdict = journal.verdict.sentence
    if journal.outcome not in ("held", "refuted", "inconclusive"):
        return f" after the verdict; {_reverted(journal)}. {verdict}"
    return f": {verdict.removeprefix(f'{badge(journal)}: ')}{_probes(journal)}"


def _probes(journal: Journal) -> str:
    run = summarize(journal)
    outage = run.longest_outage_s or 0.0
    longest = f", longest outage {outage:.1f} s" if outage >= 0.05 else ""
    direct = f"{run.lost} of {run.probes} probes lost{longest}" if run.probes else ""
    found = (direct, load_balancer_loss(journal), every_node_loss(journal))
    return "".join(f"; {text}" for text in found if text)


def load_balancer_loss(journal: Journal) -> str:
    """What users lost in front of the load balancer; ``""`` when nothing was sent through it."""
    run = summarize(journal)
    if not run.load_balancer_probes:
        return ""
    counts = f"{run.load_balancer_lost} of {run.load_balancer_probes}"
    return f"through the load balancer: {counts} lost"


def every_node_loss(journal: Journal) -> str:
    """What clients lost that went on using every node; ``""`` when no node was lost."""
    run = summarize(journal)
    if not run.every_node_probes:
        return ""
    return f"clients of every node: {run.every_node_lost} of {run.every_node_probes} lost"


def _reverted(journal: Journal) -> str:
    if journal.undo.pending:
        return f"not everything is reverted: swarmctl chaos revert {journal.id}"
    return "everything is reverted" if journal.undo.steps else "nothing was touched"


def duplicates(journal: Journal) -> str:
    """Which replicas ran twice; ``""`` when none did."""
    found = sorted(summarize(journal).duplicates.items())
    listing = ", ".join(f"{count} of {name}" for name, count in found)
    return f"Ran twice, on the target and elsewhere: {listing}" if found else ""


def watched(journal: Journal) -> str:
    """For how long full strength was watched; ``""`` unless it held with replicas started anew."""
    verdict, end = journal.verdict, journal.moment("verdict")
    if verdict is None or verdict.redistributed_s is None or end is None:
        return ""
    if not any(service.replaced for service in verdict.services):
        return ""
    watched = f"Full strength was watched for {end - verdict.redistributed_s:.1f} s"
    return f"{watched}: a new replica that fails later goes unnoticed"


def possible_outcomes(prediction: PredictionRecord) -> str:
    """``24 possible outcomes (exhaustive)``."""
    count = len(prediction.outcomes)
    noun = "outcome" if count == 1 else "outcomes"
    return f"{count} possible {noun} ({_completeness(prediction)})"


def agreement(journal: Journal) -> str:
    """``as predicted (1 of 24 outcomes, exhaustive)``, or not; ``""`` without a prediction."""
    prediction, agreed = journal.prediction, agrees(journal)
    if prediction is None or not prediction.outcomes:
        return ""
    left_out = ", ".join(journal.agreement.left_out) if journal.agreement else ""
    if agreed is None and not left_out:
        return f"not compared: {possible_outcomes(prediction)}"
    without = f"; not compared, not all of their replicas came up: {left_out}" if left_out else ""
    return f"{_agreement(prediction, agreed)}{without}"


def _agreement(prediction: PredictionRecord, agreed: bool | None) -> str:
    count = len(prediction.outcomes)
    listed = f"{count} outcome{'s' if count > 1 else ''}, {_completeness(prediction)}"
    if agreed is None:
        return f"compared in part, without a difference ({listed})"
    if agreed:
        return f"as predicted (1 of {listed})"
    if prediction.exhaustive:
        return f"not as predicted (none of {listed})"
    return f"not among the predicted ({listed})"


def _completeness(prediction: PredictionRecord) -> str:
    return "exhaustive" if prediction.exhaustive else "others are possible"


def seconds(value: float | None) -> str:
    """A time, or a dash."""
    return NONE if value is None else f"{value:.1f} s"
