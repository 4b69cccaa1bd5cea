"""A run on the simulated Swarm with listeners that are late: journal and reports say how late."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from swarmctl.chaos.journal.journal import Journal
from swarmctl.chaos.report import html, markdown, report, stale
from swarmctl.chaos.stale.history import History
from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.check.source import Published
from swarmctl.swarm.model import Port
from tests.unit.chaos.simulated_swarm import DETECT_S, service
from tests.unit.chaos.stage import Stage, stage

LATE_S = 3.0


@dataclass
class Late:
    """DNS names what the managers knew three seconds ago; the API cannot be asked."""

    run: Stage | None = None
    histories: list[History] = field(default_factory=lambda: [History("DNS"), History("API")])
    _known: list[tuple[float, Published]] = field(default_factory=list)

    def start(self, names: Callable[[], Collection[str]]) -> None:
        self.ask()

    def ask(self) -> None:
        """Ask now, and again in half a second."""
        assert self.run is not None
        clock, now = self.run.clock, self.run.clock.now()
        places = {
            name: frozenset(e.place for e in endpoints)
            for name, endpoints in catalogue(self.run.lab.snapshot()).by_name()
        }
        self._known.append((now, Published("DNS", places)))
        old = [said for at, said in self._known if at <= now - LATE_S]
        self.histories[0].add(now, old[-1] if old else self._known[0][1])
        self.histories[1].add(now, Published("API", fault="connection refused"))
        clock.at(now + 0.5, self.ask)

    def await_first(self, seconds: float) -> None:
        """The first answer has come."""

    def close(self) -> Sequence[History]:
        return self.histories


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    late = Late()
    web = service("web", 6, ports=(Port("tcp", 80, 80, "ingress"),))
    late.run = run = stage(tmp_path, services=[web], listeners=late)
    run.prober.silent = lambda e: e.node == "wkr2" and "stop wkr2" in run.lab.log
    return run.experiment.run()


def test_the_journal_says_how_long_each_listener_named_the_dead_node(journal: Journal) -> None:
    dns, _ = journal.listeners
    (one,) = dns.stale
    fault = journal.moment("fault") or 0.0
    assert one.place == "10.42.2.12:80"
    assert one.since_s - fault < 1  # the probes are lost at once
    assert one.noticed_s is not None
    assert DETECT_S - 0.5 < one.noticed_s - fault < DETECT_S + 0.5
    assert LATE_S - 0.5 < one.until_s - one.noticed_s < LATE_S + 1
    assert one.sent - one.lost < 5  # some may have answered at that moment
    assert one.lost > 10
    assert dns.stale_s == one.seconds


def test_a_run_without_listeners_says_nothing_of_them(tmp_path: Path) -> None:
    journal = stage(tmp_path).experiment.run()
    assert journal.listeners == ()
    assert stale.TITLE not in html.page([journal])
    assert stale.TITLE not in markdown.render([journal])


def test_every_report_has_a_row_for_each_and_the_total(journal: Journal) -> None:
    dns, _ = journal.listeners
    (one,) = dns.stale
    row, total = stale.rows(journal)
    assert row[:2] == ("DNS", "web 10.42.2.12:80")
    assert row[4] == f"{one.seconds:.1f}"
    assert row[6] == f"{one.lost} of {one.sent}"
    assert total[:2] == ("DNS", "total of 1")
    for text in (html.page([journal]), markdown.render([journal])):
        assert "web 10.42.2.12:80" in text
        assert "total of 1" in text
    (plain,) = json.loads(report._text([journal], "json", ""))["runs"]
    assert plain["listeners"][0]["stale_s"] == dns.stale_s


def test_a_listener_that_cannot_be_asked_is_said_and_has_no_zero(journal: Journal) -> None:
    assert stale.notes(journal) == ["API could not be asked: connection refused"]
    assert not [row for row in stale.rows(journal) if row[0] == "API"]
    assert "API could not be asked: connection refused" in html.page([journal])
    assert "API could not be asked: connection refused" in markdown.render([journal])


def test_the_terminal_has_a_line_for_each_listener(journal: Journal) -> None:
    """Broken: forty replicas are two hundred lines."""
    dns, _ = journal.listeners
    (one,) = dns.stale
    (line,) = stale.summary(journal)
    assert line[:3] == ("DNS", "1", f"{one.seconds:.1f} s")
    assert line[5] == f"{one.lost} of {one.sent}"
