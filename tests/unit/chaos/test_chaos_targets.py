"""The same seed always takes the same nodes; a wrong name is answered with the right ones."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from swarmctl.chaos.targets import Selection, choose
from swarmctl.errors import UsageError
from swarmctl.swarm.model import Swarm
from tests.unit.chaos.chaos_fakes import stage, workers

SWARM = Swarm(tuple(workers(8)), (), ())


def names(selection: Selection, swarm: Swarm = SWARM) -> list[str]:
    return [node.hostname for node in choose(swarm, selection)]


def test_a_seed_draws_the_same_nodes_in_whatever_order_the_managers_list_them() -> None:
    shuffled = list(SWARM.nodes)
    random.Random(7).shuffle(shuffled)
    for seed in range(50):
        selection = Selection(count=3, seed=seed)
        assert names(selection) == names(selection, Swarm(tuple(shuffled), (), ()))


def test_this_draw_never_changes() -> None:
    """A seed printed by an older version must still mean the same nodes."""
    assert names(Selection(count=2, seed=42)) == ["wkr1", "wkr2"]


def test_every_worker_can_be_drawn() -> None:
    drawn = {names(Selection(seed=seed))[0] for seed in range(200)}
    assert drawn == {f"wkr{i}" for i in range(1, 9)}


def test_a_seed_that_was_drawn_is_printed_and_kept(tmp_path: Path) -> None:
    s = stage(tmp_path, selection=Selection())
    journal = s.experiment.run()
    seed = journal.parameters["seed"]
    assert any(f"--seed {seed}" in line for line in s.progress.lines)
    again = stage(tmp_path, selection=Selection(seed=seed))
    assert again.experiment.run().targets == journal.targets


def test_an_unknown_node_gets_the_known_names_and_the_nearest() -> None:
    with pytest.raises(UsageError, match="unknown node 'wrk2'") as caught:
        names(Selection(names=("wrk2",)))
    assert "did you mean 'wkr2'?" in caught.value.hint
    assert "mgr1" in caught.value.hint


def test_more_nodes_than_there_are_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="cannot draw 9 worker nodes from 8"):
        names(Selection(count=9, seed=1))


def test_naming_a_node_twice_takes_it_once() -> None:
    assert names(Selection(names=("wkr3", "wkr3"))) == ["wkr3"]


def test_an_unknown_role_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="unknown role"):
        names(Selection(role="leader", seed=1))
