"""A misspelt name gets the nearest known one."""

from __future__ import annotations

import pytest

from swarmctl.reading.names import nearest, suggestion, unknown

NAMES = ("web", "api", "database")


@pytest.mark.parametrize(
    ("name", "near"), [("wbe", "web"), ("databse", "database"), ("zebra", None), ("", None)]
)
def test_the_nearest_name(name: str, near: str | None) -> None:
    assert nearest(name, NAMES) == near


def test_a_suggestion_is_a_question_or_nothing() -> None:
    assert suggestion("wbe", NAMES) == "did you mean 'web'?"
    assert suggestion("zebra", NAMES) == ""


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    error = unknown("service", "wbe", NAMES)
    assert error.message == "unknown service 'wbe'"
    assert error.hint == "did you mean 'web'? known: api, database, web"


def test_when_nothing_is_known_the_hint_says_so() -> None:
    assert unknown("node", "a", ()).hint == "known: none"
