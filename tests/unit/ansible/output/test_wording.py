"""The lines at the end of a playbook run, and the progress that other processes leave."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from swarmctl.cli import console
from swarmctl.playbook_output import wording
from swarmctl.playbook_output.outcome import HostTotals


def test_many_hosts_on_which_nothing_happened_share_a_line() -> None:
    totals = [HostTotals(f"wkr{n}", ok=3) for n in range(20)]
    totals += [HostTotals("wkr20", changed=2), HostTotals("wkr21", failures=1)]
    assert list(wording.recap_lines(totals)) == [
        "wkr20 : ok=0 changed=2",
        "wkr21 : ok=0 changed=0 failed=1",
        "20 more hosts : changed=0",
    ]


def test_few_hosts_have_a_line_each() -> None:
    totals = [HostTotals("mgr1", ok=3), HostTotals("gone", unreachable=1)]
    lines = ["mgr1 : ok=3 changed=0", "gone : ok=0 changed=0 unreachable=1"]
    assert list(wording.recap_lines(totals)) == lines


@pytest.mark.parametrize(("seconds", "text"), [(3.24, "3.2 s"), (125.9, "2 min 5 s")])
def test_a_duration_is_short(seconds: float, text: str) -> None:
    assert wording.duration(seconds) == text


def test_what_swarmctl_says_on_stderr_is_progress_of_the_playbook_that_runs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SWARMCTL_PROGRESS", str(tmp_path / "progress"))
    monkeypatch.setattr(sys, "stderr", sys.stderr)  # restored afterwards
    console.share_progress()
    console.note("  web 3/10")
    assert (tmp_path / "progress").read_text() == "  web 3/10\n"
    assert capsys.readouterr().err == "  web 3/10\n"
