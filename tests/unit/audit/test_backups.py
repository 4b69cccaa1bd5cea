"""A backup that is old, or that never came back, is found before it is needed."""

from dataclasses import replace
from datetime import timedelta

from swarmctl.audit.checks import backups
from swarmctl.backup.last import Last
from swarmctl.cli.backup.last import last_as_json, last_line
from tests.unit.audit.audited import NOW, facts, found
from tests.unit.scheduler.swarms import node, swarm

NAME = "swarm_app-20260131T100000Z"
GOOD = Last(NAME, NOW - timedelta(hours=2), "s3://b", NAME, NOW - timedelta(hours=1))


def lines(last: Last | None) -> list[tuple[bool | None, str]]:
    return found(backups, facts(swarm([node("m1", role="manager")], []), backup=last))


def test_a_recent_proven_backup_and_none_at_all_are_fine() -> None:
    assert lines(GOOD) == []
    assert lines(None) == []


def test_an_old_backup_fails_and_an_unproven_one_is_advised_to_be_proven() -> None:
    assert lines(replace(GOOD, at=NOW - timedelta(days=8))) == [
        (False, "the last backup is 8 days old")
    ]
    assert lines(replace(GOOD, proven_at=None)) == [
        (True, "no backup was ever restored in the lab")
    ]
    assert lines(replace(GOOD, proven_at=NOW - timedelta(days=31))) == [
        (True, "the last proof of a backup is 31 days old")
    ]
    assert lines(replace(GOOD, differences=2)) == [
        (False, f"{NAME} did not come back whole: 2 differences")
    ]


def test_status_shows_age_place_and_proof() -> None:
    assert str(last_line(GOOD, NOW)) == (
        f"last backup: 2 h old, {NAME} in s3://b; proven 60 min ago"
    )
    assert "never restored" in str(last_line(replace(GOOD, proven_at=None), NOW))
    assert "did not come back whole" in str(last_line(replace(GOOD, differences=1), NOW))
    assert last_as_json(None) is None
    assert (last_as_json(GOOD) or {})["proven_at"] == "2026-01-31T11:00:00+00:00"
