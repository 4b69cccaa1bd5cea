"""What a hypothesis allows, and at which value it is broken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from swarmctl.chaos.journal.journal import ProbeSummary, Sample, Unseen
from swarmctl.chaos.plan.hypothesis import Hypothesis, Tolerance
from swarmctl.chaos.run.judging.reasons import (
    BelowMinimum,
    OutageTooLong,
    ProbesLost,
    Reason,
    Unwatched,
)
from swarmctl.chaos.run.judging.tolerance import broken, require_probes
from swarmctl.errors import UsageError
from tests.unit.chaos.simulated_swarm import service


def sample(at_s: float, **services: int) -> Sample:
    return Sample(at_s, services, {}, {})


def probed(service: str, sent: int, lost: int, outage_s: float = 0.0) -> ProbeSummary:
    return ProbeSummary(service, sent, lost, outage_s, 1.0, 1.0)


def minimum(samples: list[Sample], unseen: list[Unseen], **floors: int) -> tuple[Reason, ...]:
    return broken(Hypothesis(never_below=floors), 10.0, samples, (), unseen=unseen)


@pytest.mark.parametrize(
    ("samples", "found"),
    [
        ([], ()),
        ([sample(9.9, web=0), sample(10, web=2), sample(11, web=3)], ()),
        ([sample(10, web=1)], (BelowMinimum("web", 1, 2, 0.0),)),
        (
            [sample(11, web=2), sample(12, web=0), sample(13, web=1), sample(14, web=0)],
            (BelowMinimum("web", 0, 2, 2.0),),
        ),
        ([sample(12)], (BelowMinimum("web", 0, 2, 2.0),)),
        ([sample(11, web=1), sample(12)], (BelowMinimum("web", 0, 2, 2.0),)),
    ],
)
def test_the_fewest_replicas_since_the_fault_count(
    samples: list[Sample], found: tuple[Reason, ...]
) -> None:
    assert minimum(samples, [], web=2) == found


@pytest.mark.parametrize(
    ("kept", "found"),
    [
        ([{"web": 2}], ()),
        ([{"web": 2}, {"web": 1}], (Unwatched("web", 1, 2, 4.0, 3.0),)),
        ([{"web": 0}, {"web": 1}], (Unwatched("web", 0, 2, 2.0, 3.0),)),
        ([{"web": 1}, {}], (Unwatched("web", 0, 2, 4.0, 3.0),)),
    ],
)
def test_what_nobody_saw_counts_as_what_certainly_served(
    kept: list[dict[str, int]], found: tuple[Reason, ...]
) -> None:
    unseen = [Unseen(12.0 + 2 * i, 15.0 + 2 * i, one) for i, one in enumerate(kept)]
    assert minimum([sample(10, web=2)], unseen, web=2) == found


def test_every_service_below_its_minimum_is_named_once() -> None:
    dark = [Unseen(12.0, 13.0, {"web": 0, "db": 0, "hub": 5})]
    assert minimum([sample(11, web=1, db=1, hub=5)], dark, web=2, db=1, hub=5) == (
        BelowMinimum("web", 1, 2, 1.0),
        Unwatched("db", 0, 1, 2.0, 1.0),
    )


@pytest.mark.parametrize(
    ("tolerances", "found"),
    [
        ({}, ()),
        ({"web": Tolerance(success=0.75)}, ()),
        ({"web": Tolerance(0.8, 2.5)}, (ProbesLost("web", 0.75, 40, 0.8),)),
        ({"web": Tolerance(longest_outage_s=2.4)}, (OutageTooLong("web", 2.5, 2.4),)),
        (
            {"web": Tolerance(1.0, 0.0)},
            (ProbesLost("web", 0.75, 40, 1.0), OutageTooLong("web", 2.5, 0.0)),
        ),
        ({"*": Tolerance(0.8)}, (ProbesLost("web", 0.75, 40, 0.8),)),
        ({"*": Tolerance(0.8), "web": Tolerance(0.5)}, ()),
        ({"web": Tolerance(0.5), "*": Tolerance(1.0)}, ()),
    ],
)
def test_a_service_may_be_silent_as_much_as_is_allowed(
    tolerances: Mapping[str, Tolerance], found: tuple[Reason, ...]
) -> None:
    probes = (probed("idle", 0, 0), probed("db", 10, 0), probed("web", 40, 10, 2.5))
    assert broken(Hypothesis(tolerances=tolerances), 0.0, (), probes) == found


@pytest.mark.parametrize(
    ("least", "probes", "every", "lost"),
    [
        (None, [(8, 8)], [(8, 8)], None),
        (0.75, [], [(4, 2), (4, 0)], None),
        (0.8, [(4, 0)], [(4, 2), (4, 0)], (0.75, 8)),
        (0.8, [(4, 2), (4, 0)], [], (0.75, 8)),
        (0.8, [(0, 0)], [], None),
        (1.0, [(1, 1)], [], (0.0, 1)),
    ],
)
def test_clients_of_every_node_are_counted_together(
    least: float | None, probes: list[Any], every: list[Any], lost: tuple[float, int] | None
) -> None:
    found = broken(
        Hypothesis(every_node_success=least),
        0.0,
        (),
        [probed("web", *one) for one in probes],
        [probed("web", *one) for one in every],
    )
    expected = lost and least and (ProbesLost("clients of every node", *lost, least),)
    assert found == (expected or ())


ALL_OF_THEM = Tolerance(success=1.0)


def refusal(*limited: str, fixed: tuple[str, ...] = ()) -> tuple[str, str]:
    hypothesis = Hypothesis(tolerances=dict.fromkeys(limited, ALL_OF_THEM))
    with pytest.raises(UsageError) as caught:
        require_probes(hypothesis, (), fixed)
    return caught.value.message.rpartition(": ")[2], caught.value.hint


def test_a_limit_for_all_probes_needs_one_probe_of_any_kind() -> None:
    """Broken: behind a load balancer that alone is probed, `*` is refused."""
    everything = Hypothesis(tolerances={"*": ALL_OF_THEM}, every_node_success=0.5)
    require_probes(replace(everything, every_node_success=None), (), ("lb",))
    require_probes(everything, (service("web", 1),), ())
    require_probes(Hypothesis(), (), ())


def test_what_is_limited_and_not_probed_is_named_with_what_is_probed() -> None:
    assert refusal("*") == ("*", "leave them out; probed: nothing")
    probed = ("two", "one")
    assert refusal("web", "api", "one", "*", fixed=probed) == (
        "api, web",
        "leave them out; probed: one, two",
    )


def test_a_share_of_every_node_needs_a_service_whose_nodes_are_probed() -> None:
    with pytest.raises(UsageError, match=r"^every-node-success needs a published") as caught:
        require_probes(Hypothesis(every_node_success=0.5), (), ("lb",))
    assert caught.value.hint == "leave it out, or publish and probe a service"
