"""Wanted and found: the least changes, and never one of what is not ours."""

from __future__ import annotations

import random

import pytest

from swarmctl.discovery.reconcile import Changes, Record, changes

OURS, THEIRS = "swarm_app", "somebody"


def record(key: int, owner: str = OURS, port: int = 80) -> Record:
    return Record(f"group{key % 3}", f"task{key}", (("port", str(port)),), owner)


def apply(found: list[Record], todo: Changes) -> list[Record]:
    """What is there after the changes, as a listener would make them."""
    after = {r.key: r for r in found}
    for gone in todo.deregister:
        del after[gone.key]
    for new in todo.register:
        after[new.key] = Record(new.group, new.id, new.value, OURS)
    return list(after.values())


def test_a_replaced_task_is_one_register_and_one_deregister() -> None:
    found = [record(n) for n in range(50)]
    wanted = [record(n) for n in range(1, 51)]
    assert changes(wanted, found, OURS) == Changes((record(50),), (record(0),))


def test_an_unchanged_swarm_writes_nothing() -> None:
    same = [record(n) for n in range(50)]
    assert not changes(reversed(same), same, OURS)


def test_a_changed_value_is_registered_again_and_nothing_else() -> None:
    assert changes([record(1, port=81)], [record(1)], OURS) == Changes((record(1, port=81),))


def test_a_foreign_record_is_left_alone_wanted_or_not() -> None:
    todo = changes([record(1, port=81)], [record(1, THEIRS), record(2, ""), record(3)], OURS)
    assert todo == Changes((), (record(3),), (record(1, port=81),))


@pytest.mark.parametrize("seed", range(200))
def test_any_two_tables_converge_in_one_step_with_the_least_writes(seed: int) -> None:
    draw = random.Random(seed)

    def table(owners: tuple[str, ...]) -> list[Record]:
        keys = draw.sample(range(12), draw.randrange(12))
        return [record(k, draw.choice(owners), draw.choice((80, 81))) for k in keys]

    wanted, found = table((OURS,)), table((OURS, THEIRS, ""))
    todo = changes(wanted, found, OURS)
    after = apply(found, todo)
    foreign = [r for r in found if r.owner != OURS]
    assert set(foreign) <= set(after)
    taken = {r.key for r in foreign}
    assert {r for r in after if r.owner == OURS} == {r for r in wanted if r.key not in taken}
    assert not changes(wanted, after, OURS)
    differing = {r for r in wanted if r.key not in taken} ^ {r for r in found if r.owner == OURS}
    assert len(todo.register) + len(todo.deregister) == len({r.key for r in differing})
    shuffled = draw.sample(wanted, len(wanted)), draw.sample(found, len(found))
    assert changes(*shuffled, OURS) == todo
