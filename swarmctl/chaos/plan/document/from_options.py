"""From the options of ``swarmctl chaos run`` to a document, with or without a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from swarmctl.chaos.plan.document.options import OPTIONS, TARGETS, Given, PlanOption
from swarmctl.chaos.plan.document.source import Source
from swarmctl.errors import UsageError
from swarmctl.reading.names import unknown
from swarmctl.reading.yaml_nodes import Path

_FLAGS = {option.path: option.flag for option in OPTIONS} | {
    ("targets", "service"): "--target service:SERVICE"
}


def from_options(fault: str, given: Given) -> Source:
    """The document of an experiment that is given as options alone.

    Args:
        fault: the fault's name.
        given: the options.

    Raises:
        UsageError: ``--target`` with a filter that does not exist.
    """
    source = Source({"version": 1}, flags=_FLAGS)
    return _with_options(source.with_option(("fault", "name"), "FAULT", fault), given)


def add_to_file(source: Source, given: Given) -> Source:
    """The document of a file, with options added.

    Raises:
        UsageError: an option that must be in the file instead.
    """
    refused = [o.flag for o in OPTIONS if o.flag in given and not o.with_file]
    if refused:
        allowed = ", ".join(option.flag for option in OPTIONS if option.with_file)
        raise UsageError(
            f"{', '.join(refused)} cannot be combined with a file",
            f"change the file instead; allowed with a file: {allowed}",
        )
    return _with_options(source, given)


def _with_options(source: Source, given: Given) -> Source:
    for option in OPTIONS:
        if option.flag not in given:
            continue
        value = given[option.flag]
        if option.path == TARGETS:
            assert isinstance(value, Sequence)
            for path, part in _targets(value):
                source = source.with_option(path, option.flag, part)
            continue
        for read in _read(option, value):
            source = source.with_option(option.path, option.flag, read)
    return source


def _read(option: PlanOption, value: str | bool | Sequence[str]) -> Iterator[Any]:
    """The document's values of one option."""
    if isinstance(value, str):
        yield option.read(value)
    elif isinstance(value, bool) or option.read is str:
        yield value
    else:
        yield from map(option.read, value)


def _targets(words: Sequence[str]) -> Iterator[tuple[Path, Any]]:
    """The keys of ``targets`` that the words after ``--target`` stand for.

    Raises:
        UsageError: a filter that does not exist.
    """
    filters = ("role", "az", "hosts-service", "service")
    for word in words:
        key, colon, value = word.partition(":")
        if word == "leader":
            yield (*TARGETS, "leader"), True
        elif not colon:
            yield (*TARGETS, "names"), [word]
        elif key == "label":
            name, _, text = value.partition("=")
            yield (*TARGETS, "label", name), text
        elif key in filters:
            yield (*TARGETS, key), value
        else:
            raise unknown("filter", key, [*filters, "label", "leader"])
