"""Faults are known by their names."""

from __future__ import annotations

import pytest

from swarmctl.chaos.fault.kind import Effect, Kind
from swarmctl.chaos.fault.registry import fault
from swarmctl.chaos.faults import FAULTS, make_fault, undo_action
from swarmctl.chaos.faults.drain import Drain
from swarmctl.errors import UsageError
from tests.unit.chaos.faults.contexts import bare


def test_an_unknown_fault_gets_the_nearest_name_and_all_others() -> None:
    with pytest.raises(UsageError) as caught:
        FAULTS["drian"]
    assert caught.value.message == "unknown fault 'drian'"
    assert caught.value.hint == f"did you mean 'drain'? known: {', '.join(sorted(FAULTS))}"


def test_a_fault_is_made_by_its_name_with_what_it_works_with() -> None:
    context = bare()
    made = make_fault("drain", context)
    assert isinstance(made, Drain)
    assert made.context is context
    assert undo_action(FAULTS["drain"]) == "activate-node"
    assert undo_action(FAULTS["task-kill"]) is None


def test_no_two_faults_have_one_name() -> None:
    register = fault(Kind("drain", "", "", Effect.DRAINED, "was drained"))
    with pytest.raises(AssertionError, match="two faults are called drain"):
        register(Drain)
