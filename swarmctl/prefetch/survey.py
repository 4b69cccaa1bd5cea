"""Asks the nodes what they hold, and says what is missing where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from swarmctl.cluster import Target
from swarmctl.errors import UsageError
from swarmctl.prefetch.plan import Pull, out_of_reach, pulls
from swarmctl.reading.names import unknown
from swarmctl.swarm.model import Service, Swarm
from swarmctl.swarm.observe.images import ask_images, known_images, live_hosts


@dataclass(frozen=True, slots=True)
class Survey:
    """What is missing on which node.

    Attributes:
        todo: the images to pull.
        present: how many images are on their nodes already.
        unreachable: nodes that could not be asked, by hostname, and why.
    """

    todo: tuple[Pull, ...]
    present: int
    unreachable: Mapping[str, str]


def survey(target: Target, swarm: Swarm, services: Sequence[Service]) -> Survey:
    """Ask every node that is up for its images; one that does not answer is named.

    Args:
        target: the cluster.
        swarm: a snapshot.
        services: deployed, or about to be.

    Raises:
        UsageError: ``--host`` was given: only EC2 tells the nodes' addresses.
    """
    shell = target.shell()
    if shell is None:
        raise UsageError(
            "images are pulled on every node, but --host names one manager only",
            "use --cluster instead of --host",
        )
    with closing(shell):
        answers = ask_images(shell, live_hosts(swarm))
    known = known_images(swarm, answers)
    wanted, missing = pulls(swarm, services), pulls(known, services)
    down = {node.hostname: "the node is down" for node in out_of_reach(swarm, services)}
    silent = {p.node: answers.silent[p.node] for p in missing if p.node in answers.silent}
    todo = tuple(pull for pull in missing if pull.node not in silent)
    return Survey(todo, len(wanted) - len(missing), silent | down)


def chosen(swarm: Swarm, names: Sequence[str]) -> tuple[Service, ...]:
    """The services of these stacks, and those of these names; all services without a name.

    Raises:
        UsageError: there is no such stack or service.
    """
    if not names:
        return swarm.services
    found: dict[str, Service] = {}
    for name in names:
        service = swarm.service_by_name(name)
        named = (service,) if service else swarm.stack_services(name)
        if not named:
            known = [*swarm.stacks(), *(s.name for s in swarm.services)]
            raise unknown("stack or service", name, known)
        found |= {s.id: s for s in named}
    return tuple(found.values())
