"""Options that several ``swarmctl stack`` commands have, and how their times are written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from swarmctl.errors import UsageError

ValuesOption = Annotated[
    list[Path] | None,
    typer.Option("--values", metavar="FILE", help="Values over values.yml; repeatable."),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="A.B=V", help="One value, read as YAML; repeatable."),
]
TimeoutOption = Annotated[
    str, typer.Option("--timeout", metavar="TIME", help="How long until it fails: 90s, 2m.")
]
DeployedArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The name it was deployed under.")
]

_NUMBER = r"(\d+(?:\.\d+)?)"
_TIME = re.compile(rf"{_NUMBER}|(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?", re.ASCII)
_UNITS_S = (1.0, 3600.0, 60.0, 1.0)


def parse_seconds(text: str, option: str) -> float:
    """Seconds of ``90``, ``90s``, ``1m30s`` or ``1h``.

    Args:
        text: what the user wrote.
        option: the option's name, for the error.

    Raises:
        UsageError: it is none of these, or zero.
    """
    found = _TIME.fullmatch(text.strip())
    parts = zip(found.groups() if found else (), _UNITS_S, strict=False)
    seconds = sum(float(number) * unit for number, unit in parts if number)
    if not 0 < seconds < 1e8:
        raise UsageError(f"cannot read {option} {text!r}", "write a time like 90s or 2m")
    return seconds
