"""A placement beside the prediction, as a journal keeps both."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from swarmctl.chaos.journal import agreement
from swarmctl.chaos.journal.journal import Agreement, Difference, Placement
from swarmctl.prediction.prediction import Notice, Outcome
from swarmctl.prediction.record import GoneRecord, PredictionRecord
from tests.unit.chaos.stage import stage


def test_a_placement_is_compared_with_every_outcome() -> None:
    prediction = PredictionRecord(
        exhaustive=True,
        outcomes=(
            Outcome({"web": {"a": 3, "b": 1}, "job": {"a": 1}}, {}),
            Outcome({"web": {"a": 2, "b": 2}, "job": {"a": 1}}, {}),
        ),
    )
    assert agreement.compare(prediction, {"web": {"b": 2, "a": 2, "c": 0}}).agrees
    found = agreement.compare(prediction, {"web": {"a": 1, "b": 2, "c": 1}})
    assert found == Agreement(
        agrees=False,
        exhaustive=True,
        differences={"web": {"a": Difference(1, 2, 3), "c": Difference(1, 0, 0)}},
    )


@pytest.mark.parametrize("seen", [{}, {"job": {"a": 1}}])
def test_what_was_left_out_is_not_called_predicted(seen: Placement) -> None:
    """Broken: no service, or not all, is compared, and the placement is "as predicted"."""
    outcome = Outcome({"web": {"a": 3}, "job": {"a": 1}}, {})
    prediction = PredictionRecord(exhaustive=True, outcomes=(outcome,))
    found = agreement.compare(prediction, seen, left_out={"web"})
    assert found == Agreement(agrees=None, exhaustive=True, left_out=("web",))


def test_a_difference_is_one_whatever_was_left_out() -> None:
    outcome = Outcome({"web": {"a": 3}, "job": {"a": 1}}, {})
    prediction = PredictionRecord(exhaustive=True, outcomes=(outcome,))
    found = agreement.compare(prediction, {"job": {"b": 1}}, left_out={"web"})
    assert found.agrees is False
    assert list(found.differences) == ["job"]


@pytest.mark.parametrize(
    ("outcomes", "seen", "differences"),
    [
        ([{"web": {"a": 2}}], {"web": {"a": 2}}, {}),
        ([{"web": {"a": 2}}], {"web": {}}, {"web": {"a": Difference(0, 2, 2)}}),
        (
            [{"web": {"a": 1}}],
            {"web": {"a": 1}, "db": {"b": 1}},
            {"db": {"b": Difference(1, 0, 0)}},
        ),
        ([], {"web": {"a": 1}}, {"web": {"a": Difference(1, 0, 0)}}),
        # Each node's number is possible, though not all of them together.
        (
            [{"web": {"a": 3, "b": 1}}, {"web": {"a": 1, "b": 3}}],
            {"web": {"a": 1, "b": 1}},
            {"web": {}},
        ),
    ],
)
def test_a_node_that_has_more_or_less_than_any_outcome_is_named(
    outcomes: list[dict[str, dict[str, int]]],
    seen: dict[str, dict[str, int]],
    differences: dict[str, dict[str, Difference]],
) -> None:
    prediction = PredictionRecord(outcomes=tuple(Outcome(counts, {}) for counts in outcomes))
    found = agreement.compare(prediction, seen)
    assert found == Agreement(not differences, False, differences)
    partial = agreement.compare(prediction, seen, ["job", "hub"])
    agrees = False if differences else None
    assert partial == Agreement(agrees, False, differences, ("hub", "job"))


# As docs/prediction.md documents it, and as every version has written it.
PREDICTION: dict[str, Any] = {
    "lost": ["wkr1"],
    "exhaustive": False,
    "seed": 1,
    "quorum": True,
    "before": {"web": {"wkr1": 2}, "db": {"wkr1": 1}},
    "moved": {"web": 2},
    "gone": {"db": {"count": 1, "why": "restart condition none"}},
    "ended": {"agent": 1},
    "outcomes": [{"counts": {"web": {"wkr2": 1}, "db": {}}, "pending": {"web": 1}}],
    "reasons": {"web": "no suitable node (insufficient resources on 1 node)"},
    "warnings": [{"kind": "policy", "service": "db", "node": "", "text": "db: 1 replica lost"}],
}
AGREEMENT: dict[str, Any] = {
    "agrees": False,
    "exhaustive": False,
    "differences": {"web": {"wkr2": {"seen": 2, "least": 1, "most": 1}}},
}


def test_a_recorded_prediction_loads_typed_and_is_written_as_it_was(tmp_path: Path) -> None:
    s = stage(tmp_path)
    path = tmp_path / s.experiment.run().id / "journal.json"
    raw = json.loads(path.read_text()) | {"prediction": PREDICTION, "agreement": AGREEMENT}
    path.write_text(json.dumps(raw))
    journal = s.runs.load(path.parent.name)
    assert journal.prediction is not None
    assert journal.prediction.gone == {"db": GoneRecord(1, "restart condition none")}
    assert journal.prediction.outcomes == (
        Outcome({"web": {"wkr2": 1}, "db": {}}, pending={"web": 1}),
    )
    assert journal.prediction.warnings == (Notice("policy", "db: 1 replica lost", "db"),)
    assert journal.agreement == Agreement(
        agrees=False, exhaustive=False, differences={"web": {"wkr2": Difference(2, 1, 1)}}
    )
    s.runs.save(journal)
    written = json.loads(path.read_text())
    assert written["prediction"] == json.loads(json.dumps(asdict(journal.prediction))) == PREDICTION
    assert written["agreement"] == AGREEMENT | {"left_out": []}
