"""Which nodes ``-e allow_shrink=…`` removes."""

from __future__ import annotations

import pytest

from tests.unit.ansible.filters import load_filters

allowed_to_leave = load_filters("ec2_instances", "allowed_to_leave").allowed_to_leave
SURPLUS, PLANNED = ["a_wkr4", "a_wkr3"], ["a_mgr1", "a_wkr1", "a_wkr2"]


@pytest.mark.parametrize(
    ("wish", "names"),
    [
        (True, ["a_wkr3", "a_wkr4"]),
        ("yes", ["a_wkr3", "a_wkr4"]),
        ("wkr4", ["a_wkr4"]),
        ("a_wkr3, wkr4", ["a_wkr3", "a_wkr4"]),
        ("wkr9", []),
        *((nothing, []) for nothing in ("", False, "no")),
    ],
)
def test_only_surplus_nodes_that_are_named_or_meant_leave(wish: object, names: list[str]) -> None:
    found = allowed_to_leave(SURPLUS, wish, PLANNED)
    assert found.pop("asked") is (wish not in ("", False, "no")), "leftovers of an earlier run go"
    assert found == {"names": names, "errors": []}


def test_a_node_of_the_settings_is_refused() -> None:
    (error,) = allowed_to_leave(SURPLUS, "wkr2,wkr4", PLANNED)["errors"]
    assert "allow_shrink names a_wkr2, one of the 3 nodes of the settings" in error
