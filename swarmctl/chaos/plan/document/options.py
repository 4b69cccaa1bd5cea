"""The options of ``swarmctl chaos run`` that describe an experiment, as keys of a document."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from swarmctl.reading.yaml_nodes import Path

_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def _number(text: str) -> int | float | str:
    """A number; anything else is left to the schema."""
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)


def _delay(text: str) -> str:
    """A delay; on the command line a bare number is milliseconds."""
    return f"{text}ms" if text.isdecimal() else text


def _share(text: str) -> str:
    """A share; on the command line a bare number is per cent."""
    return f"{text}%" if _NUMBER.fullmatch(text) else text


def _probed(service: str) -> list[dict[str, str]]:
    """A list of probes."""
    return [{"service": service}]


def _requested(url: str) -> list[dict[str, str]]:
    """A list of probes."""
    return [{"url": url}]


@dataclass(frozen=True, slots=True)
class PlanOption:
    """One option.

    Args:
        flag: as it is typed.
        path: the document's key that it sets.
        help: one line for ``--help``.
        metavar: the value's placeholder in ``--help``; ``""`` for a switch without a value.
        read: from the text to the document's value.
        repeatable: whether it can be given several times.
        with_file: whether it can be given together with a file.
    """

    flag: str
    path: Path
    help: str
    metavar: str = ""
    read: Callable[[str], Any] = str
    repeatable: bool = False
    with_file: bool = False


# What a user gave, by flag: a text, ``True`` for a switch, a list of texts if repeatable.
Given: TypeAlias = Mapping[str, str | bool | Sequence[str]]

# ``--target`` sets several keys of this mapping.
TARGETS: Path = ("targets",)

OPTIONS = (
    PlanOption(
        "--target",
        TARGETS,
        "A node's full or short name (repeatable), or a filter: leader, role:ROLE, "
        "label:KEY=VALUE, az:ZONE, hosts-service:SERVICE; several filters must all match. "
        "task-kill: service:SERVICE.",
        "TARGET",
        repeatable=True,
    ),
    PlanOption("--role", ("targets", "role"), "Same as --target role:ROLE.  [worker]", "ROLE"),
    PlanOption("--az", ("targets", "az"), "Same as --target az:ZONE.", "ZONE"),
    PlanOption("--count", ("targets", "count"), "How many targets to draw.  [1]", "N", _number),
    PlanOption(
        "--percent",
        ("targets", "percent"),
        "Share of the matching targets to draw, rounded up.",
        "PERCENT",
        _number,
    ),
    PlanOption(
        "--seed",
        ("targets", "seed"),
        "Seed of the random draw; the same seed repeats it.  [random, and printed]",
        "N",
        _number,
        with_file=True,
    ),
    PlanOption("--force", ("fault", "force"), "instance-stop: cut the power."),
    PlanOption(
        "--from", ("fault", "from"), "partition: from managers, workers or all.  [all]", "SIDE"
    ),
    PlanOption(
        "--level", ("fault", "level"), "cpu, memory, disk-full, loss: per cent.", "PERCENT", _number
    ),
    PlanOption("--delay", ("fault", "delay"), "latency: milliseconds.  [200]", "MS", _delay),
    PlanOption(
        "--replace-with",
        ("fault", "replace-with"),
        "instance-terminate: the command that makes the new machine.",
        "COMMAND",
    ),
    PlanOption(
        "--timeout",
        ("hypothesis", "within"),
        "Seconds in which the Swarm must recover, or a duration such as 2m.  [120]",
        "TIME",
        _number,
    ),
    PlanOption(
        "--duration",
        ("duration",),
        "Minimum duration of the fault.  [30 for pressure, else 0]",
        "TIME",
        _number,
    ),
    PlanOption(
        "--probe-service",
        ("hypothesis", "probes"),
        "Published service to probe; `none` turns probes off.  [all of the stacks]",
        "SERVICE",
        _probed,
    ),
    PlanOption(
        "--probe-url",
        ("hypothesis", "probes"),
        "URL to request as users do, through the load balancer; repeatable; `none` for no URL.  "
        "[the load balancer's, of each service with swarmctl.http labels]",
        "URL",
        _requested,
        repeatable=True,
    ),
    PlanOption(
        "--every-node-success",
        ("hypothesis", "every-node-success"),
        "Minimum share of good answers for clients that go on using every node, lost ones too.",
        "PERCENT",
        _share,
    ),
    PlanOption(
        "--consul",
        ("listeners", "consul"),
        "Consul API that is asked which endpoints it still names.  [that of an agent, if found]",
        "ADDRESS:PORT",
    ),
    PlanOption(
        "--dns",
        ("listeners", "dns"),
        "The same for a DNS server.  [that of an agent, if found]",
        "ADDRESS:PORT",
    ),
    PlanOption(
        "--cloud-map",
        ("listeners", "cloud-map"),
        "The same for a Cloud Map namespace.  [that with the cluster's tag, if any]",
        "NAMESPACE",
    ),
    PlanOption(
        "--override",
        ("guards", "override"),
        "Ignore a refusal of this guard; the journal records it. Repeatable.",
        "GUARD",
        repeatable=True,
        with_file=True,
    ),
    PlanOption(
        "--max-nodes", ("guards", "max-nodes"), "Maximum number of nodes lost.  [1]", "N", _number
    ),
    PlanOption(
        "--max-percent",
        ("guards", "max-percent"),
        "Maximum share of nodes lost, in per cent.  [34]",
        "PERCENT",
        _number,
    ),
    PlanOption(
        "--window",
        ("guards", "window"),
        "Run only in this time window, for example 'Mon-Fri 09:00-17:00 Europe/Berlin'.",
        "WINDOW",
    ),
    PlanOption("--repeat", ("repeat",), "Number of runs.  [1]", "N", _number),
    PlanOption("--every", ("every",), "Minimum time between two starts.", "TIME", _number),
    PlanOption("--rolling", ("rolling",), "Hit every matching node, one after the other."),
    PlanOption("--keep-going", ("keep-going",), "Continue after a refuted run."),
)
