"""The options that describe an experiment, made from the table of ``plan.document.options``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from swarmctl.chaos.plan.document.options import OPTIONS, PlanOption
from swarmctl.cli import completion

# What Tab offers for an option's value, by flag.
_COMPLETE: dict[str, completion.Complete] = {
    "--target": completion.targets,
    "--az": completion.zones,
    "--probe-service": completion.services,
    "--override": completion.guards,
}


def with_plan_options(command: Callable[..., int]) -> Callable[..., int]:
    """Give a command every option of the table; it gets them as one mapping, ``given``.

    Args:
        command: its parameter ``given`` is replaced by the options; the mapping has what the user
            typed, by flag.
    """
    flags = {_name(option): option.flag for option in OPTIONS}

    @functools.wraps(command)
    def with_given(**values: Any) -> int:
        typed = {flag: values.pop(name) for name, flag in flags.items()}
        given = {flag: value for flag, value in typed.items() if value is not None}
        return command(given=given, **values)

    signature = inspect.signature(command, eval_str=True)
    parameters = list(signature.parameters.values())
    index = [parameter.name for parameter in parameters].index("given")
    parameters[index : index + 1] = map(_parameter, OPTIONS)
    # Typer reads a command's parameters from its signature.
    with_given.__signature__ = signature.replace(  # type: ignore[attr-defined]  # see inspect
        parameters=parameters
    )
    return with_given


def _name(option: PlanOption) -> str:
    """A parameter's name: ``--from`` alone would be a keyword of Python."""
    return f"plan{option.flag}".replace("-", "_")


def _parameter(option: PlanOption) -> inspect.Parameter:
    value: Any = list[str] if option.repeatable else str if option.metavar else bool
    names = (option.flag, "-t") if option.flag == "--target" else (option.flag,)
    declared = typer.Option(
        *names,
        help=option.help,
        metavar=option.metavar or None,
        autocompletion=_COMPLETE.get(option.flag),
    )
    return inspect.Parameter(
        _name(option),
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        default=None,
        annotation=Annotated[value | None, declared],
    )
