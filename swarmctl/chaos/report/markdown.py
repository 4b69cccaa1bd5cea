"""A report as GitHub's Markdown: short enough for a comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from swarmctl.chaos.journal import phases
from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.report import placement, stale, words
from swarmctl.chaos.report.history import COLUMNS, WORD_COLUMNS, cells
from swarmctl.chaos.report.run_summary import overridden, summarize

_SIGNS = {"held": "✅", "refuted": "❌", "refused": "⏭️", "inconclusive": "⚠️", "interrupted": "⚠️"}
# Characters with a meaning in Markdown, or in HTML inside it.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#~@])")


def render(journals: Sequence[Journal], picture: str = "") -> str:
    """One run, or a table of several with each run folded below.

    Args:
        journals: the runs.
        picture: the path of the picture in the link; ``""`` for none.
    """
    image = [f"![Replicas over time](<{picture}>)", ""] if picture else []
    if len(journals) == 1:
        journal = journals[0]
        lines = [f"### {escape(_title(journal))}", "", *_head(journal), *image, *_details(journal)]
        return "\n".join(lines).rstrip() + "\n"
    held = sum(journal.outcome == "held" for journal in journals)
    lines = [f"### {len(journals)} chaos runs, {held} held", ""]
    rows = [[escape(cell) for cell in cells(summarize(journal))] for journal in journals]
    lines += [*_table(COLUMNS, rows, left=WORD_COLUMNS), "", *image]
    for journal in journals:
        lines += ["<details>", f"<summary>{_html(_title(journal))}</summary>", ""]
        lines += [*_head(journal), *_details(journal), "</details>", ""]
    return "\n".join(lines).rstrip() + "\n"


def escape(text: str) -> str:
    """Text on one line, with Markdown's special characters escaped."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _title(journal: Journal) -> str:
    sign = _SIGNS.get(journal.outcome, "❌")
    return f"{sign} {words.badge(journal)} · {words.title(journal)}"


def _head(journal: Journal) -> list[str]:
    lines = [escape(words.result_without_badge(journal)), ""]
    moments = phases.line(journal)
    lines += [escape(moments), ""] if moments else []
    watched = words.watched(journal)
    lines += [f"{escape(watched)}.", ""] if watched else []
    guards = ", ".join(guard.name for guard in overridden(journal))
    if guards:
        lines += [f"> [!WARNING]\n> Guards overridden: **{escape(guards)}**", ""]
    if words.duplicates(journal):
        lines += [f"> [!WARNING]\n> {escape(words.duplicates(journal))}", ""]
    reasons = journal.verdict.reasons if journal.verdict else ()
    return lines + ([*(f"- {escape(reason)}" for reason in reasons), ""] if reasons else [])


def _details(journal: Journal) -> list[str]:
    lines = _prediction(journal) or _placement(journal)
    for title, probes in (
        ("probes of", journal.probes),
        ("load balancer", journal.load_balancer),
        ("every node", journal.every_node),
    ):
        if not probes:
            continue
        rows = [
            [
                escape(p.service),
                str(p.sent),
                f"**{p.lost}**" if p.lost else "0",
                f"{p.longest_outage_s:.1f} s",
                f"{p.median_ms:.0f} ms",
                f"{p.p99_ms:.0f} ms",
            ]
            for p in probes
        ]
        titles = (title, "sent", "lost", "longest outage", "median", "99 %")
        lines += [*_table(titles, rows), ""]
    lines += _stale(journal)
    engines = ", ".join(sorted(set(journal.engine_versions.values())))
    return [
        *lines,
        f"<sub>run `{journal.id}` · cluster {escape(journal.cluster)} · "
        f"Engine {escape(engines)} · {journal.started_at[:19].replace('T', ' ')} UTC</sub>",
        "",
    ]


def _stale(journal: Journal) -> list[str]:
    rows = [[escape(cell) for cell in row] for row in stale.rows(journal)]
    table = [f"{stale.TITLE}:", "", *_table(stale.COLUMNS, rows, left=2), ""] if rows else []
    return table + [line for note in stale.notes(journal) for line in (f"- {escape(note)}", "")]


def _prediction(journal: Journal) -> list[str]:
    """Replicas seen, with the predicted range; a difference is bold."""
    rows = placement.comparisons(journal)
    if not rows or not journal.after:
        return []
    table = [[escape(row.service), *(_range(node) for node in row.nodes)] for row in rows]
    lines = [f"Placement **{escape(words.agreement(journal))}**: seen (predicted)", ""]
    lines += [*_table(("service", *map(escape, placement.compared_nodes(journal))), table), ""]
    apart = [row.service for row in rows if row.only_apart]
    if apart:
        names = escape(", ".join(apart))
        lines += [f"{names}: each number was predicted, but not all of them at once.", ""]
    return lines


def _range(node: placement.PredictedRange) -> str:
    text = f"{node.seen} ({node})"
    return f"**{text}** ❗" if node.differs else text


def _placement(journal: Journal) -> list[str]:
    if not journal.after:
        return []
    rows = [
        [escape(row.service), *(f"{c.before} → {c.after}" for c in (*row.nodes, row.total))]
        for row in placement.placements(journal)
    ]
    nodes = map(escape, placement.nodes(journal))
    return [*_table(("service", *nodes, "total"), rows), ""]


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]], left: int = 1) -> list[str]:
    marks = ["---" if index < left else "---:" for index in range(len(titles))]
    return [f"| {' | '.join(row)} |" for row in (titles, marks, *rows)]
