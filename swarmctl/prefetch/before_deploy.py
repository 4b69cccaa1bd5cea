"""Images of a new version, before its tasks are made: a deploy does not wait for a slow pull."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from swarmctl.cluster import Target
from swarmctl.prefetch.plan import Pull
from swarmctl.prefetch.pull import Credentials, Pulled, pull_all
from swarmctl.prefetch.survey import survey
from swarmctl.swarm.model import Service, Swarm
from swarmctl.swarm.parse import parse_swarm

# A deploy pulls beforehand by itself up to so many (node, image) pairs: about 20 s of pulling on
# ten nodes. Beyond, the user decides.
MOST_PULLS = 40


def prefetch_before(
    target: Target,
    swarm: Swarm,
    specs: Mapping[str, Mapping[str, Any]],
    credentials: Credentials,
    *,
    wanted: bool | None,
    timeout_s: float,
    note: Callable[[str], None],
) -> None:
    """Pull the images of services that are about to be deployed; a failure is only noted.

    Args:
        target: the cluster.
        swarm: a snapshot.
        specs: of the services, as the Engine API takes them, by name.
        credentials: for registries with authentication.
        wanted: ``None``: only up to :data:`MOST_PULLS` pulls.
        timeout_s: seconds for the pulls of each node.
        note: called with lines for the user.
    """
    if wanted is False or not specs:
        return
    if not target.instances:
        if wanted:
            note("warning: nothing prefetched: --host names one manager only")
        return
    found = survey(target, swarm, _services(specs))
    for node, why in found.unreachable.items():
        note(f"warning: nothing prefetched on {node}: {why}")
    if wanted is None and len(found.todo) > MOST_PULLS:
        note(f"not prefetched: {len(found.todo)} pulls; --prefetch does more than {MOST_PULLS}")
        return
    if not found.todo:
        return
    note(f"prefetching: {_summary(found.todo)}")
    done = pull_all(
        found.todo, target.nodes(), credentials, timeout_s=timeout_s, note=lambda p: _fault(p, note)
    )
    if good := [pulled for pulled in done if not pulled.fault]:
        note(f"prefetched: {len(good)} pulls, the slowest {max(p.seconds for p in good):.1f} s")


def _summary(todo: tuple[Pull, ...]) -> str:
    images = sorted({pull.image.partition("@")[0] for pull in todo})
    nodes = len({pull.node for pull in todo})
    return f"{', '.join(images)} on {nodes} node{'s' if nodes > 1 else ''}"


def _fault(done: Pulled, note: Callable[[str], None]) -> None:
    if done.fault:
        image = done.pull.image.partition("@")[0]
        note(f"warning: {image} not prefetched on {done.pull.node}: {done.fault}")


def _services(specs: Mapping[str, Mapping[str, Any]]) -> tuple[Service, ...]:
    listed = [{"ID": name, "Spec": spec} for name, spec in specs.items()]
    return parse_swarm({"nodes": [], "services": listed, "tasks": []}).services
