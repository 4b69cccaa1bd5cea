"""What ``swarmctl status --deep`` prints of the network."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from swarmctl.network.finding import Finding, Severity

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow"}


def network_findings(findings: Sequence[Finding]) -> Text:
    """The findings, each with its remedy."""
    if not findings:
        return Text("network: as the playbooks set it, and every published port answers")
    lines = [
        Text.assemble(
            (f"{found.severity}: ", _STYLES[found.severity]),
            (f"{found.place}: ", "bold"),
            f"{found.what}\n",
            (f"  → {found.remedy}", "cyan"),
        )
        for found in findings
    ]
    return Text("\n").join(lines)
