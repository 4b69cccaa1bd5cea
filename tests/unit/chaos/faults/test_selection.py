"""The user's choice of targets, merged over the fault's own, and what a journal keeps of it."""

from __future__ import annotations

import pytest

from swarmctl.chaos.fault.selection import WORKER, Selection, merge, new_seed


@pytest.mark.parametrize(
    ("selection", "kept"),
    [
        (Selection(names=("wkr1", "wkr2"), seed=3), {"target": ["wkr1", "wkr2"]}),
        (Selection(names=("wkr1",), service="web"), {"target": ["wkr1"], "service": "web"}),
        (WORKER, {"role": "worker", "count": 1, "seed": None}),
        (Selection(count=2, seed=7), {"count": 2, "seed": 7}),
        (Selection(percent=25, count=2, seed=7), {"percent": 25, "seed": 7}),
        (
            Selection(
                role="manager",
                labels={"disk": "ssd"},
                zone="a",
                leader=True,
                hosts="web",
                service="db",
                seed=1,
            ),
            {
                "role": "manager",
                "labels": {"disk": "ssd"},
                "az": "a",
                "leader": True,
                "hosts-service": "web",
                "service": "db",
                "count": 1,
                "seed": 1,
            },
        ),
    ],
)
def test_a_journal_keeps_what_selects_the_same_targets_again(
    selection: Selection, kept: dict[str, object]
) -> None:
    assert selection.parameters() == kept


ZONE = Selection(percent=100)  # az-outage's own
TWO = Selection(role="worker", count=2)


@pytest.mark.parametrize(
    ("defaults", "given", "merged"),
    [
        (WORKER, {}, WORKER),
        (WORKER, {"seed": 7}, Selection(role="worker", seed=7)),
        (WORKER, {"service": "web"}, Selection(role="worker", service="web")),
        (WORKER, {"count": 3}, Selection(role="worker", count=3)),
        (WORKER, {"percent": 50}, Selection(role="worker", percent=50)),
        (WORKER, {"role": "manager"}, Selection(role="manager")),
        (WORKER, {"hosts": "web"}, Selection(hosts="web")),  # of any role
        (ZONE, {"zone": "b"}, Selection(zone="b", percent=100)),  # still the whole zone
        (ZONE, {"zone": "b", "count": 1}, Selection(zone="b", count=1)),
        (TWO, {"percent": 50}, Selection(role="worker", percent=50)),
        (TWO, {"names": ("wkr1",)}, Selection(names=("wkr1",))),
    ],
)
def test_a_filter_replaces_the_faults_filters_and_a_size_its_size(
    defaults: Selection, given: dict[str, object], merged: Selection
) -> None:
    assert merge(defaults, given) == merged


def test_a_new_seed_can_be_typed_again() -> None:
    seeds = {new_seed() for _ in range(50)}
    assert len(seeds) > 10
    assert all(0 <= seed < 1_000_000 for seed in seeds)
