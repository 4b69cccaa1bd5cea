"""``make mutation`` measures what it is meant to: a file that moved must not drop out unseen."""

from __future__ import annotations

import pytest

from tests.mutation.run import ROOT, Module, Score, read_modules, scores_of, unmeasured


@pytest.mark.parametrize(("name", "module"), read_modules().items())
def test_every_file_and_test_that_a_module_names_exists(name: str, module: Module) -> None:
    assert [path for path in module.files if not any(ROOT.glob(path))] == []
    assert [path for path in module.tests if not (ROOT / path).exists()] == []


def test_a_mutant_counts_as_noticed_if_a_test_fails_or_hangs() -> None:
    results = {
        "swarmctl.a.x_one__mutmut_1": "killed",
        "swarmctl.a.x_one__mutmut_2": "timeout",
        "swarmctl.a.xǁKindǁof__mutmut_1": "survived",
        "swarmctl.b.x_two__mutmut_1": "no tests",
    }
    scores = scores_of(results)
    assert scores == [Score("swarmctl.a", 3, 2), Score("swarmctl.b", 1, 0)]
    assert [round(score.percent) for score in scores] == [67, 0]


def test_a_file_without_mutants_was_not_measured() -> None:
    """Broken: no mutant at all, because the tool changed its ways, and everything is well."""
    module = Module(("swarmctl/a.py", "swarmctl/b.py", "swarmctl/c/*", "swarmctl/d/*"), ())
    scores = [Score("swarmctl.a", 3, 3), Score("swarmctl.c.one", 1, 1)]
    assert unmeasured(module, scores) == ["swarmctl/b.py", "swarmctl/d/*"]
    assert unmeasured(module, []) == list(module.files)
