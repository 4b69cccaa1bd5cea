"""HTTP probes against the published services, ten a second, while the Swarm is in trouble.

Counters can look healthy while the data path is not (moby#41668, moby#53141), so an experiment
asks the services themselves, as a client would, on the nodes that are left.
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from swarmctl import http
from swarmctl.chaos.journal.journal import ProbeRecord, ProbeSummary
from swarmctl.chaos.world.protocols import Endpoint, Machine, Probe, ServiceProbe
from swarmctl.errors import UsageError
from swarmctl.reading.names import unknown
from swarmctl.swarm.model import Node, Port, Service, Swarm

RATE_HZ = 10
TIMEOUT_S = 2.0
# A service says with this label (deploy.labels) which path is worth asking: one that goes through
# all its parts, not just a static page.
PATH_LABEL = "swarmctl.probe.path"
_WORKERS = RATE_HZ * int(TIMEOUT_S) + 4  # so many probes can hang at once, per service


def published(swarm: Swarm, named: str | None) -> tuple[Service, ...]:
    """The services to probe.

    Args:
        swarm: where they run.
        named: one service's name, ``none`` for no probes, or ``None`` for every service of a stack
            that publishes a TCP port.

    Raises:
        UsageError: no service of that name, or it publishes nothing.
    """
    if named == "none":
        return ()
    if named is None:
        return tuple(s for s in swarm.services if s.stack and _tcp_ports(s))
    service = next((s for s in swarm.services if s.name == named), None)
    if service is None:
        raise unknown("service", named, (s.name for s in swarm.services))
    if not _tcp_ports(service):
        names = ", ".join(s.name for s in swarm.services if _tcp_ports(s)) or "none"
        raise UsageError(f"service {named} publishes no TCP port", f"published: {names}")
    return (service,)


@dataclass
class Places:
    """Where each service can be asked: every place on the nodes that are left.

    A port of the routing mesh is open on every node; a host port where a task of the service runs,
    under the number that was given out to it. Numbers are remembered: when the managers' leader
    changes, the nodes report their tasks anew and the reports lack the ports (seen on Engine 26.1),
    while the containers go on listening.

    Args:
        services: what is probed.
        machines: EC2 instances by name (the nodes' hostnames).
        without: ids of nodes never to ask: the targets.
        expected: what is asked of a service, and what is a good answer, by its name.
        fixed: places that stay where they are, by probe.
    """

    services: Sequence[Service]
    machines: Mapping[str, Machine]
    without: Collection[str]
    expected: Mapping[str, ServiceProbe] = field(default_factory=dict)
    fixed: Mapping[str, tuple[Endpoint, ...]] = field(default_factory=dict)
    _ports: dict[str, tuple[Port, ...]] = field(default_factory=dict)  # task id → ports

    def at(self, swarm: Swarm) -> dict[str, tuple[Endpoint, ...]]:
        """The places in this snapshot, by service.

        A node in doubt (``unknown``, during an election) is asked: clients would ask it too.
        """
        left = {
            node.id: node
            for node in swarm.nodes
            if node.state != "down" and node.id not in self.without
        }
        moving = {service.name: self._of(service, swarm, left) for service in self.services}
        return {**moving, **self.fixed}

    def remember(self, ports: Mapping[str, tuple[Port, ...]]) -> None:
        """Host ports that were learnt elsewhere, by task id."""
        self._ports |= ports

    def lacking(self, swarm: Swarm) -> tuple[Service, ...]:
        """Services of which some running task has host ports that the managers forgot."""
        return tuple(s for s in self._by_host_port(swarm) if not self._all_known(swarm, s))

    def forgotten(self, swarm: Swarm) -> tuple[str, ...]:
        """Services of which not one running task's host ports are known."""
        return tuple(
            service.name
            for service in self.lacking(swarm)
            if not any(self._ports.get(task.id) or task.ports for task in swarm.serving(service))
        )

    def _by_host_port(self, swarm: Swarm) -> list[Service]:
        return [
            service
            for service in self.services
            if swarm.serving(service) and any(port.mode == "host" for port in service.ports)
        ]

    def _all_known(self, swarm: Swarm, service: Service) -> bool:
        return all(task.ports or self._ports.get(task.id) for task in swarm.serving(service))

    def _of(self, service: Service, swarm: Swarm, left: Mapping[str, Node]) -> tuple[Endpoint, ...]:
        found = _mesh(service, left) | self._host_ports(swarm, service, left)
        ask = self.expected.get(service.name) or ServiceProbe(service.name)
        path = ask.path or _path(service)
        places = (
            Endpoint(service.name, left[node_id].hostname, host, port, path, ask.status)
            for node_id, port in found
            if (host := self._address(left[node_id]))
        )
        return tuple(sorted(places, key=lambda place: (place.node, place.port)))

    def _host_ports(
        self, swarm: Swarm, service: Service, left: Collection[str]
    ) -> set[tuple[str, int]]:
        running = [
            task
            for task in swarm.tasks_of(service)
            if task.state == task.desired_state == "running" and task.node_id in left
        ]
        for task in running:
            if task.ports:
                self._ports[task.id] = task.ports
        return {
            (task.node_id, port.published)
            for task in running
            for port in self._ports.get(task.id, ())
            if port.protocol == "tcp" and port.mode == "host" and port.published
        }

    def _address(self, node: Node) -> str:
        machine = self.machines.get(node.hostname)
        return (machine.address if machine else None) or node.address


@dataclass
class HttpProber:
    """Sends probes from threads of its own, one every tenth of a second for each service.

    Args:
        now: seconds since the run began.
    """

    now: Callable[[], float]
    _aims: Mapping[str, Sequence[Endpoint]] = field(default_factory=dict)
    _done: list[Probe] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: dict[str, threading.Thread] = field(default_factory=dict)

    def aim(self, endpoints: Mapping[str, Sequence[Endpoint]]) -> None:
        """From now on ask these; a service that is new starts to be probed."""
        self._aims = endpoints
        for service in endpoints:
            if service not in self._threads:
                thread = threading.Thread(target=self._beat, args=(service,), daemon=True)
                self._threads[service] = thread
                thread.start()

    def results(self) -> Sequence[Probe]:
        """All finished probes so far, by the time they were sent."""
        return sorted(self._done, key=lambda probe: probe.at_s)

    def close(self) -> None:
        """Stop; probes under way end within their time-out."""
        self._stop.set()
        for thread in self._threads.values():
            thread.join()

    def _beat(self, service: str) -> None:
        start = self.now()
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix=f"probe-{service}") as pool:
            # The beat is counted from the start, so a late one does not delay all others.
            for beat in itertools.count():
                if self._stop.wait(max(0.0, start + beat / RATE_HZ - self.now())):
                    return
                aims = self._aims.get(service, ())
                if aims:
                    pool.submit(self._probe, aims[beat % len(aims)])

    def _probe(self, endpoint: Endpoint) -> None:
        self._done.append(probe(endpoint, self.now))


def probe(endpoint: Endpoint, now: Callable[[], float]) -> Probe:
    """Ask once. A failed connection, a time-out and a wrong status are failures."""
    at = now()
    answer = http.get(endpoint.url, TIMEOUT_S)
    status, failure = answer.status, answer.failure
    good = status in endpoint.status if endpoint.status else (status or 0) < 500
    heard = "http" if status else "other" if failure is http.Failure.NOT_HTTP else ""
    return Probe(at, endpoint, failure is None and good, answer.seconds, answer.detail, heard)


def summaries(probes: Sequence[Probe]) -> tuple[ProbeSummary, ...]:
    """Count the probes of each service."""
    services = dict.fromkeys(probe.endpoint.service for probe in probes)
    return tuple(
        _summary(name, [p for p in probes if p.endpoint.service == name]) for name in services
    )


def records(probes: Sequence[Probe]) -> tuple[ProbeRecord, ...]:
    """The probes as the journal keeps them."""
    return tuple(
        ProbeRecord(
            at_s=round(p.at_s, 3),
            service=p.endpoint.service,
            node=p.endpoint.node,
            ok=p.ok,
            latency_ms=round(p.latency_s * 1000, 1),
            detail=p.detail,
        )
        for p in probes
    )


def longest_outage(probes: Sequence[Probe]) -> float:
    """The longest stretch without one good answer, in seconds.

    It lasts from the first lost probe's sending until the next good one's, or until the last lost
    probe was given up when no good one followed.
    """
    longest, since = 0.0, None
    for p in probes:
        if p.ok:
            longest = max(longest, p.at_s - since) if since is not None else longest
            since = None
        else:
            since = p.at_s if since is None else since
            longest = max(longest, p.at_s + p.latency_s - since)
    return longest


def unanswered(probes: Sequence[Probe], aims: Mapping[str, Sequence[Endpoint]]) -> tuple[str, ...]:
    """Of the places that are asked now, those that gave no good answer, with the last error.

    Args:
        probes: the probes to consider, oldest first.
        aims: where probes go now.
    """
    good = {p.endpoint for p in probes if p.ok}
    last = {p.endpoint: p.detail for p in probes}
    silent = tuple(
        f"{endpoint.service}{' on ' if endpoint.node else ''}{endpoint.node} ({endpoint.url}): "
        f"{last.get(endpoint, 'not asked yet')}"
        for places in aims.values()
        for endpoint in places
        if endpoint not in good
    )
    nowhere = tuple(
        f"{name}: no node left to ask it on" for name, places in aims.items() if not places
    )
    return silent + nowhere


def _summary(service: str, probes: Sequence[Probe]) -> ProbeSummary:
    latencies = sorted(p.latency_s * 1000 for p in probes if p.ok)
    return ProbeSummary(
        service=service,
        sent=len(probes),
        lost=sum(not p.ok for p in probes),
        longest_outage_s=round(longest_outage(probes), 2),
        median_ms=round(_quantile(latencies, 0.5), 1),
        p99_ms=round(_quantile(latencies, 0.99), 1),
        endpoints=tuple(sorted({f"{p.endpoint.node} {p.endpoint.url}".strip() for p in probes})),
        failures=dict(Counter(p.detail for p in probes if not p.ok).most_common()),
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _tcp_ports(service: Service) -> bool:
    return any(port.protocol == "tcp" for port in service.ports)


def _path(service: Service) -> str:
    return "/" + service.labels.get(PATH_LABEL, "/").lstrip("/")


def _mesh(service: Service, left: Collection[str]) -> set[tuple[str, int]]:
    ports = {p.published for p in service.ports if p.protocol == "tcp" and p.mode == "ingress"}
    return {(node_id, port) for node_id in left for port in ports if port}
