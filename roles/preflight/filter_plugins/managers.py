"""Whether the managers survive what they are there for: the loss of one of them, and of a zone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean

ENOUGH_ZONES = 3


def manager_errors(settings: Mapping[str, Any]) -> list[str]:
    """What is wrong with the managers; each message names the variable and what is allowed.

    Even counts are no choice of the type already.

    Args:
        settings: the variables of ``inventory/group_vars/all.yml`` by name.
    """
    return [*_zones(settings), *run_tasks_errors(settings)]


def manager_warnings(settings: Mapping[str, Any]) -> list[str]:
    """What cannot be helped with these zones, but should be known; arguments as above."""
    zones, managers = _placed(settings), int(settings["managers"])
    if managers < ENOUGH_ZONES or len(set(zones)) >= ENOUGH_ZONES:
        return []
    zone, most = Counter(zones).most_common(1)[0]
    return [
        f"{most} of {managers} managers are in {zone}: if it fails, the others have no majority, "
        "and nothing is replaced. Three zones in availability_zones avoid that"
    ]


def _placed(s: Mapping[str, Any]) -> list[str]:
    """The zone of each manager, as the role ``ec2_instances`` plans them: round-robin."""
    zones = [subnet["az"] for subnet in s["subnets"]]
    return [zones[number % len(zones)] for number in range(int(s["managers"]))] if zones else []


def _zones(s: Mapping[str, Any]) -> Iterator[str]:
    zones = _placed(s)
    available = {subnet["az"] for subnet in s["subnets"]}
    if len(zones) < ENOUGH_ZONES or len(available) < ENOUGH_ZONES:
        return
    zone, most = Counter(zones).most_common(1)[0]
    if most * 2 > len(zones):
        yield (
            f"subnets puts {most} of {len(zones)} managers in {zone}, a majority; allowed: an "
            "order in which no zone has so many (managers are spread over them in turn)"
        )


def run_tasks_errors(settings: Mapping[str, Any]) -> list[str]:
    """What is wrong with whether they take replicas; also of machines that are not EC2's."""
    run_tasks = settings["swarm_managers_run_tasks"]
    if str(run_tasks).lower() == "auto":
        return []
    try:
        takes = boolean(run_tasks)
    except TypeError:
        return [f"swarm_managers_run_tasks is {run_tasks!r}; allowed: auto, true or false"]
    if takes or int(settings["workers"]) > 0:
        return []
    return [
        "swarm_managers_run_tasks is false and workers is 0: no node would take a replica; "
        "allowed: auto, true, or one worker or more"
    ]


class FilterModule:
    """The filters that Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {
            "manager_errors": manager_errors,
            "manager_warnings": manager_warnings,
            "run_tasks_errors": run_tasks_errors,
        }
