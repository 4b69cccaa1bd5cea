"""A report as GitHub's Markdown: short enough for a comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from swarmctl.chaos.journal import phases
from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.report import foreseen
from swarmctl.chaos.report.facts import (
    badge,
    facts,
    node_names,
    overridden,
    placement_rows,
    twice,
    words,
)
from swarmctl.chaos.report.history import COLUMNS, cells

_SIGNS = {"held": "✅", "refuted": "❌", "refused": "⏭️", "interrupted": "⚠️"}
# What Markdown, or HTML inside it, would read as something else than text.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~@])")


def render(journals: Sequence[Journal], picture: str = "") -> str:
    """One run, or several beside one another and each folded away below.

    Args:
        journals: the runs.
        picture: where the picture is, as the reader finds it; ``""`` for none.
    """
    image = [f"![Replicas over time](<{picture}>)", ""] if picture else []
    if len(journals) == 1:
        journal = journals[0]
        lines = [f"### {escape(_title(journal))}", "", *_head(journal), *image, *_details(journal)]
        return "\n".join(lines).rstrip() + "\n"
    held = sum(journal.outcome == "held" for journal in journals)
    lines = [f"### {len(journals)} chaos runs, {held} held", ""]
    rows = [[escape(cell) for cell in cells(facts(journal))] for journal in journals]
    lines += [*_table(COLUMNS, rows, left=4), "", *image]
    for journal in journals:
        lines += ["<details>", f"<summary>{_html(_title(journal))}</summary>", ""]
        lines += [*_head(journal), *_details(journal), "</details>", ""]
    return "\n".join(lines).rstrip() + "\n"


def escape(text: str) -> str:
    """Text that is text in Markdown, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _title(journal: Journal) -> str:
    targets = ", ".join(target.what for target in journal.targets)
    sign = _SIGNS.get(journal.outcome, "❌")
    return f"{sign} {badge(journal)} · {journal.experiment} of {targets or 'nothing'}"


def _head(journal: Journal) -> list[str]:
    lines = [escape(words(journal)), ""]
    moments = phases.line(journal)
    lines += [escape(moments), ""] if moments else []
    refused = overridden(journal)
    if refused:
        lines += [f"> [!WARNING]\n> Guards overridden: **{escape(', '.join(refused))}**", ""]
    if twice(journal):
        lines += [f"> [!WARNING]\n> {escape(twice(journal))}", ""]
    reasons = journal.verdict.reasons if journal.verdict else ()
    return lines + ([*(f"- {escape(reason)}" for reason in reasons), ""] if reasons else [])


def _details(journal: Journal) -> list[str]:
    lines = _prediction(journal) or _placement(journal)
    if journal.probes:
        rows = [
            [
                escape(p.service),
                str(p.sent),
                f"**{p.lost}**" if p.lost else "0",
                f"{p.longest_outage_s:.1f} s",
                f"{p.median_ms:.0f} ms",
                f"{p.p99_ms:.0f} ms",
            ]
            for p in journal.probes
        ]
        titles = ("probes of", "sent", "lost", "longest outage", "median", "99 %")
        lines += [*_table(titles, rows), ""]
    engines = ", ".join(sorted(set(journal.engine_versions.values())))
    return [
        *lines,
        f"<sub>run `{journal.id}` · cluster {escape(journal.cluster)} · "
        f"Engine {escape(engines)} · {journal.started_at[:19].replace('T', ' ')} UTC</sub>",
        "",
    ]


def _prediction(journal: Journal) -> list[str]:
    """The predicted range, and what was seen; a difference is bold."""
    rows = foreseen.rows(journal)
    if not rows or not journal.after:
        return []
    nodes = foreseen.nodes(journal)
    table = [[escape(row.service), *(_cell(cell) for cell in row.cells)] for row in rows]
    lines = [f"Placement **{escape(foreseen.headline(journal))}**: seen (predicted)", ""]
    lines += [*_table(("service", *map(escape, nodes)), table), ""]
    together = [row.service for row in rows if row.together]
    if together:
        names = escape(", ".join(together))
        lines += [f"{names}: each number was predicted, but not all of them at once.", ""]
    return lines


def _cell(cell: foreseen.Foreseen) -> str:
    text = f"{cell.seen} ({cell.range})"
    return f"**{text}** ❗" if cell.differs else text


def _placement(journal: Journal) -> list[str]:
    if not journal.after:
        return []
    rows = [
        [escape(row.service), *(f"{c.before} → {c.after}" for c in (*row.cells, row.total))]
        for row in placement_rows(journal)
    ]
    return [*_table(("service", *map(escape, node_names(journal)), "total"), rows), ""]


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> list[str]:
    marks = ["---" if index < left else "---:" for index in range(len(titles))]
    return [f"| {' | '.join(row)} |" for row in (titles, marks, *rows)]
