"""What is not installed is named before anything is begun."""

from __future__ import annotations

import pytest

from swarmctl import errors
from swarmctl.cli import main as cli


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after `pip install swarmctl`, without the optional groups."""
    absent = ("moto", "flask", "flask_cors", "starlette", "uvicorn")
    monkeypatch.setattr(errors, "find_spec", lambda name: None if name in absent else object())


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize(
    ("words", "extra", "package"),
    [(("lab", "up", "--name", "x"), "lab", "moto"), (("discovery", "run"), "discovery", "uvicorn")],
)
def test_an_extra_that_is_not_installed_is_a_message_and_no_traceback(
    words: tuple[str, ...], extra: str, package: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(words) == 1
    seen = capsys.readouterr().err
    assert "needs packages that are not installed: " in seen
    assert package in seen
    assert seen.endswith(f"hint: make setup; or: pip install 'swarmctl[{extra}]'\n")
