"""Take endpoints away from clients, and wait until no client uses them."""

from __future__ import annotations

from collections.abc import Callable, Collection

from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.endpoint import Catalogue, Endpoint
from swarmctl.discovery.leaving import without_marks
from swarmctl.moves.context import Context, Poll
from swarmctl.moves.publishers import AGENT_S, Publisher


def announce(context: Context, is_new: Callable[[Endpoint], bool]) -> None:
    """Publish new endpoints, and wait until clients get all of them.

    Raises:
        SwarmctlError: a publisher failed, or they were not ready in time; says what.
    """

    def known() -> tuple[bool | None, str]:
        unknown = [e for e in catalogue(context.swarm()).unknown if is_new(e)]
        return (None if unknown else True), ", ".join(
            f"not of {e.name} on {e.node}" for e in unknown
        )

    context.wait("the host ports of the new replicas to be known", known, context.timeout)
    for publisher in context.publishers:
        swarm = context.swarm()
        publisher.publish(swarm)
        new = [endpoint for endpoint in catalogue(swarm).endpoints if is_new(endpoint)]
        what = f"{publisher.name} to send requests to the new replicas"
        context.wait(what, _ready(publisher, new), context.timeout)


def _ready(publisher: Publisher, endpoints: Collection[Endpoint]) -> Poll:
    def poll() -> tuple[bool | None, str]:
        seen = publisher.not_ready(endpoints)
        return (None if seen else True), seen

    return poll


def withdraw(context: Context) -> float:
    """Publish what is left without the endpoints that labels mark; wait until they are unused.

    A second pass follows when every agent has seen the labels: one may just have published what it
    had read before.

    Returns:
        The seconds that were waited for clients.

    Raises:
        SwarmctlError: a publisher failed.
    """
    swarm = context.swarm()
    before = catalogue(without_marks(swarm))
    leaving = gone(before, catalogue(swarm))
    if not leaving:
        return 0.0
    for publisher in context.publishers:
        publisher.publish(swarm)
    context.let_pass(AGENT_S, "agents to see it")
    for publisher in context.publishers:
        publisher.publish(context.swarm())
    lags = {publisher.name: publisher.lag(before, leaving) for publisher in context.publishers}
    told = ", ".join(f"{name} {seconds:g} s" for name, seconds in lags.items())
    context.note(f"{len(leaving)} endpoints withdrawn; waiting for their clients: {told}")
    longest = max(lags.values(), default=0.0)
    context.let_pass(longest, "clients to stop using the withdrawn endpoints")
    return longest


def gone(old: Catalogue, new: Catalogue) -> tuple[Endpoint, ...]:
    """The endpoints that are not there any more."""
    left = {(e.id, e.name) for e in new.every}
    return tuple(e for e in old.every if (e.id, e.name) not in left)
