"""What the load balancer knows of the services: their URLs, and how healthy it finds them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from swarmctl.discovery.routes.labels import Route
from swarmctl.errors import SwarmctlError
from swarmctl.state import outside_aws

if TYPE_CHECKING:
    from swarmctl.cloud.load_balancer import ElbApi
    from swarmctl.cloud.target_groups import TargetGroup

# AWS allows ten reads a second for all callers together: one a second at most is the page's.
_HEALTH_EVERY_S = 10.0
_LIST_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class Balanced:
    """The answer.

    Attributes:
        urls: by service.
        health: by service, how many targets are in which state of AWS.
        fault: why there is none; ``""`` if nothing failed.
    """

    urls: Mapping[str, Sequence[str]] = field(default_factory=dict)
    health: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    fault: str = ""


class Balancer:
    """Asks Elastic Load Balancing, rarely; every viewer gets the same answer.

    Args:
        cluster: whose load balancer; ``""``: nothing is asked.
        api: Elastic Load Balancing; ``None`` for the environment's.
        clock: seconds.
    """

    def __init__(
        self, cluster: str, api: ElbApi | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cluster = "" if outside_aws(cluster) else cluster
        self._api, self._clock = api, clock
        self._lock = threading.Lock()
        self._groups: tuple[TargetGroup, ...] = ()
        self._routes: tuple[Route, ...] = ()
        self._urls: Mapping[str, Sequence[str]] = {}
        self._found = Balanced()
        self._asked_at = self._listed_at = float("-inf")

    def ask(self, routes: tuple[Route, ...]) -> Balanced:
        """What is known of services with these routes; at most some seconds old."""
        if not self._cluster or not routes:
            return Balanced()
        with self._lock:
            now = self._clock()
            if routes != self._routes or now - self._listed_at >= _LIST_EVERY_S:
                self._groups, self._asked_at = (), float("-inf")
            if now - self._asked_at >= max(_HEALTH_EVERY_S, len(self._groups)):
                self._routes, self._asked_at = routes, now
                try:
                    self._found = self._ask(routes, now)
                except SwarmctlError as fault:
                    self._found = Balanced(fault=f"no URLs: {fault.message}")
            return self._found

    def _ask(self, routes: tuple[Route, ...], now: float) -> Balanced:
        from swarmctl.cloud.load_balancer import ElbApi
        from swarmctl.cloud.target_groups import find_groups, target_health
        from swarmctl.discovery.listeners.load_balancer.urls import shown_urls

        api = self._api = self._api or ElbApi()
        if not self._groups:
            self._urls = shown_urls(self._cluster, routes, api)
            self._groups = tuple(find_groups(api, self._cluster).values())
            self._listed_at = now
            health = {each.service: each.health for each in self._groups}
        else:
            health = {each.service: target_health(api, each.arn) for each in self._groups}
        return Balanced(self._urls, {service: Counter(h.values()) for service, h in health.items()})
