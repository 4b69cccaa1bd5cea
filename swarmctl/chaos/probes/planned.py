"""The probes a plan lists: published services, whose endpoints move, and fixed addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from swarmctl.chaos.probes.http import Http
from swarmctl.chaos.probes.probe import Client, Endpoint, Probe

# Stands for every published service of a stack.
ALL = "*"
# Stands for no service, or no URL.
NONE = "none"
EVERY_S = 1.0
USER_EVERY_S = 0.1
# A load balancer without a rule for a path answers 404: no good answer for a user.
USER_BAD_FROM = 400
TIMEOUT_S = 2.0
# The most probes of one name under way at once, when nothing answers.
MAX_UNDER_WAY = 20


@dataclass(frozen=True, slots=True)
class ServiceProbe:
    """A published service, probed over HTTP wherever it can be reached.

    Args:
        service: its name, or ``*`` for every published one of a stack.
        path: what is requested; ``""`` for the path of the service's label.
        status: what is a good answer; empty for any below 500.
    """

    service: str
    path: str = ""
    status: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """In journals and tolerances."""
        return self.service

    @property
    def client(self) -> Client:
        """Whose requests the probes stand for."""
        return Client.NODES_LEFT


@dataclass(frozen=True, slots=True)
class FixedProbe:
    """A probe of a fixed address.

    Args:
        name: in journals and tolerances.
        probe: how it is probed.
        every_s: seconds from one probe to the next.
        timeout_s: seconds for one answer.
        client: whose requests the probes stand for.
    """

    name: str
    probe: Probe
    every_s: float = EVERY_S
    timeout_s: float = TIMEOUT_S
    client: Client = Client.NODES_LEFT


def user_probe(url: str, name: str = "", host: str = "") -> FixedProbe:
    """What a user sees of a URL, asked as often as the services themselves."""
    probe = Http(url, host=host, bad_from=USER_BAD_FROM)
    return FixedProbe(
        name or probe.address, probe, USER_EVERY_S, TIMEOUT_S, client=Client.LOAD_BALANCER
    )


PlannedProbe = ServiceProbe | FixedProbe


def names_services(planned: Sequence[PlannedProbe]) -> bool:
    """Whether a service is probed by its name, so that it must speak HTTP."""
    return any(isinstance(probe, ServiceProbe) and probe.service != ALL for probe in planned)


def by_service(planned: Sequence[PlannedProbe]) -> dict[str, ServiceProbe]:
    """The planned probes of published services, by service name."""
    return {probe.service: probe for probe in planned if isinstance(probe, ServiceProbe)}


def fixed_endpoints(planned: Sequence[PlannedProbe]) -> dict[str, tuple[Endpoint, ...]]:
    """The endpoints that do not move, by probe name."""
    return {
        p.name: (Endpoint(p.name, "", p.probe, p.client),)
        for p in planned
        if isinstance(p, FixedProbe)
    }


def retry_time_s(planned: Sequence[PlannedProbe], at_least_s: float) -> float:
    """Seconds in which every probe can fail once and be sent again.

    Args:
        planned: the plan's probes.
        at_least_s: what the published services get.
    """
    fixed = [p.every_s + p.timeout_s for p in planned if isinstance(p, FixedProbe)]
    return max([at_least_s, *fixed])
