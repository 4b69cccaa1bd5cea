"""What is read in a Dockerfile: its instructions, and the base images that it takes as arguments.

https://docs.docker.com/reference/dockerfile/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from swarmctl.registry.reference import DOCKER_HUB, parse

_FROM = re.compile(r"(?:--\S+\s+)*\$\{?(\w+)\}?(?:\s|\Z)")
_ARG = re.compile(r"(?P<name>\w+)=[\"']?(?P<value>[^\"'\s]+)")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One instruction; ``line`` is where it begins."""

    line: int
    word: str  # in upper case
    rest: str  # on its first line


def instructions(text: str) -> list[Instruction]:
    """The instructions, in order; parser directives and comments are none."""
    return list(_instructions(text))


def _instructions(text: str) -> Iterator[Instruction]:
    goes_on, here = False, ""
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if here:  # inside <<EOF
            here = "" if stripped == here else here
            continue
        if not stripped or stripped.startswith("#"):
            continue
        if not goes_on:
            word, _, rest = stripped.partition(" ")
            yield Instruction(number, word.upper(), rest.strip().removesuffix("\\").strip())
            if found := re.search(r"<<-?[\"']?(\w+)", rest):
                here = found[1] if word.upper() in ("RUN", "COPY", "ADD") else ""
        goes_on = stripped.endswith("\\")


def base_arguments(text: str) -> dict[str, str]:
    """The arguments that are the whole name of a base image of Docker Hub by default: its path.

    ``ARG BASE=node:20`` and ``FROM ${BASE}`` give ``{"BASE": "library/node:20"}``.
    """
    known = instructions(text)
    bases = {match[1] for i in known if i.word == "FROM" and (match := _FROM.match(i.rest))}
    found: dict[str, str] = {}
    for instruction in known:
        if instruction.word == "FROM":
            break
        if instruction.word == "ARG" and (match := _ARG.match(instruction.rest)):
            if match["name"] not in bases:  # such as a version: FROM node:${VERSION}
                continue
            image = parse(match["value"])
            if image and image.host == DOCKER_HUB and not image.digest:
                found[match["name"]] = f"{image.repository}:{image.tag or 'latest'}"
    return found
