"""Which images a rendered stack names: those that it builds, and the registry's copies of others.

A template asks with ``image('api')`` and ``mirrored('httpd:2.4')``; see
:mod:`swarmctl.stack.render.template`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.images.source import ImageSource, build_context, image_sources, local_name
from swarmctl.reading.names import unknown
from swarmctl.registry.reference import Reference, parse

if TYPE_CHECKING:
    from swarmctl.images.home import Home
    from swarmctl.registry.api import Registry

BUILT, MIRRORED = "image", "mirrored"  # the template's functions

# One question: the function and its argument.
Question = tuple[str, str]
# The names for the questions of a stack's template: (folder, values, questions) → names.
Names = Callable[[Path, Mapping[str, Any], Collection[Question]], Mapping[Question, str]]


class MissingImageError(UsageError):
    """The registry does not have an image that the stack names."""


def local_names(
    stack: Path, values: Mapping[str, Any], questions: Collection[Question]
) -> dict[Question, str]:
    """The names on this machine, where ``swarmctl image build`` puts the images; asks nobody."""
    found: dict[Question, str] = {}
    for question in questions:
        kind, argument = question
        found[question] = argument if kind == MIRRORED else _local(stack, values, argument)
    return found


def _local(stack: Path, values: Mapping[str, Any], name: str) -> str:
    source = _source(stack, values, name)
    return local_name(source, source.tag or build_context(source).tag)


def registry_names(
    home: Callable[[], Home], *, missing: Callable[[MissingImageError], None] | None = None
) -> Names:
    """Names in a registry, by digest.

    Args:
        home: of the cluster's images; called only if a template asks.
        missing: called when the registry does not have an image, which is then named by its tag;
            ``None``: this is an error.
    """

    def names(
        stack: Path, values: Mapping[str, Any], questions: Collection[Question]
    ) -> dict[Question, str]:
        there = home()
        api = there.api()
        found: dict[Question, str] = {}
        for question in sorted(questions):
            kind, argument = question
            if kind == BUILT:
                wanted = _wanted(there, stack, values, argument)
                fault = _not_pushed(wanted, stack.resolve().name, argument)
            else:
                wanted = there.copy_of(_parsed(argument))
                fault = _not_mirrored(wanted, stack.resolve().name, argument)
            found[question] = _by_digest(api, wanted, fault, missing)
        return found

    return names


def _wanted(home: Home, stack: Path, values: Mapping[str, Any], name: str) -> Reference:
    source = _source(stack, values, name)
    tag = source.tag or build_context(source).tag
    return home.image(source.stack, source.name, tag)


def _source(stack: Path, values: Mapping[str, Any], name: str) -> ImageSource:
    sources = image_sources(stack, values)
    if name not in sources:
        raise unknown("image", name, sources)
    return sources[name]


def _by_digest(
    api: Registry,
    wanted: Reference,
    fault: MissingImageError,
    missing: Callable[[MissingImageError], None] | None,
) -> str:
    digest = api.digest(wanted)
    if digest is None:
        if missing is None:
            raise fault
        missing(fault)
        return f"{wanted.name}:{wanted.tag}"
    return f"{wanted.name}:{wanted.tag}@{digest}"


def _not_pushed(wanted: Reference, stack: str, name: str) -> MissingImageError:
    return MissingImageError(
        f"{stack}: the image {name} of these files is not in the registry: {wanted}",
        f"swarmctl image push {stack}, with the same values; or an older one that is there "
        f"(swarmctl image list {stack}): --set images.{name}.tag=TAG",
    )


def _not_mirrored(wanted: Reference, stack: str, image: str) -> MissingImageError:
    return MissingImageError(
        f"{stack}: the registry has no copy of {image}: {wanted}",
        f"copy it: swarmctl image mirror {stack}",
    )


def _parsed(image: str) -> Reference:
    if (found := parse(image)) is None:
        raise SwarmctlError(f"{image!r} is not the name of an image")
    return found
