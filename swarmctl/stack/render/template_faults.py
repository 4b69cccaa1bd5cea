"""Messages for errors in templates: file:line, the variable, and the nearest name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import jinja2
from jinja2.utils import missing

from swarmctl.errors import UsageError
from swarmctl.reading.names import nearest
from swarmctl.stack.render.stack_files import TEMPLATE, MissingFileError, missing_file
from swarmctl.stack.render.template import UndefinedVariableError


def explained(fault: Exception, stack: Path, values: Mapping[str, Any]) -> UsageError:
    """The error to show for one of :data:`swarmctl.stack.render.template.FAULTS`.

    Args:
        fault: the exception.
        stack: the stack's folder.
        values: what the template could use.
    """
    where = _where(fault, stack)
    if isinstance(fault, UndefinedVariableError):
        return _undefined(fault, where, values)
    if isinstance(fault, jinja2.TemplateNotFound | MissingFileError):
        return missing_file(str(fault.name), where, stack)
    if isinstance(fault, jinja2.exceptions.SecurityError):
        return UsageError(f"{where}: {fault}", "templates run in a sandbox")
    if isinstance(fault, jinja2.TemplateError):
        return UsageError(f"{where}: {fault.message}")
    if isinstance(fault, RecursionError):
        return UsageError(f"{where}: the templates include each other")
    if isinstance(fault, MemoryError):
        return UsageError(
            f"{where}: the template needs too much memory", "is there a very long text or list?"
        )
    if isinstance(fault, TimeoutError):
        return UsageError(f"{where}: {fault}", "is there a loop over a large range?")
    return UsageError(f"{where}: {type(fault).__name__}: {fault}")


def _where(fault: Exception, stack: Path) -> str:
    """``file:line`` of the innermost template line in the traceback."""
    if isinstance(fault, jinja2.TemplateSyntaxError):
        return f"{fault.filename or stack / TEMPLATE}:{fault.lineno}"
    found = str(stack / TEMPLATE)
    trace: TracebackType | None = fault.__traceback__
    while trace:
        name = trace.tb_frame.f_code.co_filename
        if name.startswith(f"{stack}{os.sep}"):
            found = f"{name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


def _undefined(fault: UndefinedVariableError, where: str, values: Mapping[str, Any]) -> UsageError:
    name = fault.name or ""
    if fault.owner is missing:
        known, prefix = list(values), ""
    elif isinstance(fault.owner, Mapping):
        path = _path_to(fault.owner, values)
        known, prefix = [str(key) for key in fault.owner], f"{path}." if path else ""
    else:
        return UsageError(f"{where}: {fault.message}")
    near = nearest(name, known)
    guess = f"did you mean {prefix + near!r}? " if near else ""
    return UsageError(
        f"{where}: the variable {prefix + name!r} is not defined",
        f"{guess}define it in values.yml, with --values or with --set {prefix}{name}=…",
    )


def _path_to(wanted: Mapping[str, Any], values: Mapping[str, Any]) -> str | None:
    """The dotted name of a map in the values."""
    for key, value in values.items():
        if value is wanted:
            return key
        if isinstance(value, Mapping) and (below := _path_to(wanted, value)):
            return f"{key}.{below}"
    return None
