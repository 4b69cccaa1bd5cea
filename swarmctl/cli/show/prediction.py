"""Predictions as text and tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from swarmctl.cli import console
from swarmctl.cli.show.table import Column, table
from swarmctl.prediction.each import Risk
from swarmctl.prediction.prediction import Outcome, Prediction

# More nodes, services or rows than these are counted, not shown.
SHOWN_NODES, SHOWN_NAMES = 10, 4


def prediction_tables(prediction: Prediction, heading: Text | None = None) -> RenderableType:
    """A prediction: placement before and after, what stays pending and why, warnings.

    Args:
        prediction: of a loss.
        heading: the first line, if it is of something else.
    """
    parts: list[RenderableType] = [heading or _headline(prediction)]
    if prediction.loss.moved or prediction.loss.gone or prediction.loss.ended:
        parts += [Text(), _placement(prediction)]
    if pending := list(_pending(prediction)):
        parts += [Text(), *pending]
    # Pending replicas have a line of their own, with the reason.
    if warnings := [n.text for n in prediction.warnings if n.kind != "pending"]:
        parts += [Text(), *(_bullet("!", "yellow", text) for text in warnings)]
    return Group(*parts)


def _headline(prediction: Prediction) -> Text:
    names = prediction.loss.nodes
    shown = ", ".join(names) if len(names) <= SHOWN_NODES else f"{len(names)} nodes"
    moved = sum(prediction.loss.moved.values())
    text = Text.assemble("when ", (shown, "bold"), " dies: " if len(names) == 1 else " die: ")
    if not prediction.loss.quorum:
        return text.append("the managers lose quorum, nothing is replaced", "bold red")
    text.append(f"{moved} replicas to replace" if moved != 1 else "1 replica to replace")
    count = len(prediction.outcomes)
    plural = "" if count == 1 else "s"
    if prediction.exhaustive:
        return text.append(f", {count} possible outcome{plural} (exhaustive)")
    if prediction.seed is None:
        return text.append(f", {count} likely outcome{plural} (others are possible)")
    return text.append(f", {count} of many possible outcomes, drawn with seed {prediction.seed}")


def _placement(prediction: Prediction) -> RenderableType:
    rows = []
    pending = prediction.pending()
    loss = prediction.loss
    for name in sorted({*loss.moved, *loss.gone, *loss.ended, *pending}):
        before = prediction.before.get(name, {})
        gone = loss.gone.get(name)
        lost = (gone.count if gone else 0) + loss.ended.get(name, 0)
        row = (
            name,
            str(sum(before.values())),
            _zero(loss.moved.get(name, 0)),
            _range(*pending.get(name, (0, 0))) or "-",
            _zero(lost),
            _changes(name, before, prediction.outcomes),
        )
        rows.append(row)
    return _table(
        ("SERVICE", "REPLICAS", "MOVED", "PENDING", "LOST", "BEFORE → AFTER, BY NODE"), rows
    )


def _changes(name: str, before: Mapping[str, int], outcomes: Sequence[Outcome]) -> str:
    after = [outcome.counts.get(name, {}) for outcome in outcomes]
    spans: list[tuple[str, int, int, int]] = []
    for node in sorted({*before, *(n for counts in after for n in counts)}):
        seen = [counts.get(node, 0) for counts in after]
        spans.append((node, before.get(node, 0), min(seen), max(seen)))
    changed = [s for s in spans if not s[1] == s[2] == s[3]]
    words = [f"{n} {was}→{_range(low, high) or 0}" for n, was, low, high in changed[:SHOWN_NODES]]
    if len(changed) > SHOWN_NODES:
        words.append(f"and {len(changed) - SHOWN_NODES} more")
    return ", ".join(words)


def _range(low: int, high: int) -> str:
    if not high:
        return ""
    return str(low) if low == high else f"{low}–{high}"  # noqa: RUF001 - an en dash, as in print


def _zero(count: int) -> str:
    return str(count) if count else "-"


def _pending(prediction: Prediction) -> Iterator[Text]:
    reasons = prediction.reasons
    for name, (low, high) in prediction.pending().items():
        words = f"{name}: {_range(low, high)} pending: {reasons.get(name, '')}"
        yield _bullet("✗", "bold red", words)


def _bullet(sign: str, style: str, text: str) -> Text:
    return Text.assemble((f"{sign} ", style), text)


_VERDICTS = {
    "quorum": ("no: quorum", "bold red"),
    "capacity": ("no: replicas", "bold red"),
    "data": ("data stays", "yellow"),
    "outage": ("brief outage", "yellow"),
    "fine": ("yes", "green"),
}


def risk_table(risks: Sequence[Risk]) -> RenderableType:
    """Every node, the most critical first."""
    rows: list[Sequence[str | Text]] = []
    for risk in risks:
        words, style = _VERDICTS[risk.grade]
        row = (
            risk.node,
            risk.role,
            risk.state,
            str(risk.tasks),
            Text(words, style=style),
            _zero(risk.moved if risk.quorum else 0),
            _zero(sum(risk.pending.values()) + sum(risk.gone.values())),
            _why(risk),
        )
        rows.append(row)
    short = [risk for risk in risks if not risk.affordable]
    verdict = (
        f"{len(short)} of {len(risks)} nodes cannot be lost without losing replicas or quorum"
        if short
        else f"each of the {len(risks)} nodes can be lost: every replica is replaced"
    )
    titles = ("NODE", "ROLE", "STATE", "TASKS", "CAN BE LOST", "MOVED", "MISSING", "REASON")
    return Group(Text(verdict, style="bold"), Text(), _table(titles, rows))


def _why(risk: Risk) -> str:
    if not risk.quorum:
        return "the remaining managers have no majority: nothing is replaced"
    missing = {**risk.pending, **risk.gone}
    parts = [f"{name} {n}: {_short(risk.reasons.get(name, ''))}" for name, n in missing.items()]
    parts = _some(parts)
    if risk.left_behind:
        parts.append(f"data of {', '.join(_some(risk.left_behind))} stays")
    if risk.down:
        parts.append(f"{', '.join(_some(risk.down))} down until replaced")
    return "; ".join(parts)


def _short(reason: str) -> str:
    return reason.removeprefix("no suitable node (").removesuffix(")")


def _some(items: Iterable[str]) -> list[str]:
    listed = list(items)
    if len(listed) <= SHOWN_NAMES:
        return listed
    return [*listed[:SHOWN_NAMES], f"{len(listed) - SHOWN_NAMES} more"]


def _table(titles: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> RenderableType:
    columns = [
        Column(
            title,
            right=title in ("REPLICAS", "MOVED", "PENDING", "LOST", "TASKS", "MISSING"),
            wraps=title in ("REASON", "BEFORE → AFTER, BY NODE"),
        )
        for title in titles
    ]
    return table("", columns, rows, console.out().width)
