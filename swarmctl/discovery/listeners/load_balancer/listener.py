"""Publishes the catalogue behind the cluster's application load balancer.

The load balancer and its listeners are the playbooks'; target groups, rules and targets follow the
services' labels. What was read and written is remembered, so that an unchanged Swarm costs no call.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from swarmctl.cloud.listener_rules import find_rules, move_rules
from swarmctl.cloud.load_balancer import (
    ElbApi,
    HttpListener,
    LoadBalancer,
    LoadBalancingError,
    find_load_balancer,
    http_listeners,
)
from swarmctl.cloud.target_groups import find_groups
from swarmctl.discovery.edition import Edition
from swarmctl.discovery.listeners.listener import PublishError, backoff
from swarmctl.discovery.listeners.load_balancer.apply import apply
from swarmctl.discovery.listeners.load_balancer.instance_ids import ASK_AGAIN_S, InstanceIds
from swarmctl.discovery.listeners.load_balancer.plan import (
    Changes,
    Found,
    Plan,
    Wanted,
    group_name,
    plan,
)
from swarmctl.discovery.listeners.load_balancer.plan import lines as as_lines
from swarmctl.discovery.listeners.load_balancer.wanted import (
    addresses_of,
    unknown_addresses,
    wanted,
)
from swarmctl.discovery.routes.labels import Route
from swarmctl.errors import SwarmctlError

# Everything is compared with AWS again after so long: somebody may have changed it.
READ_AGAIN_S = 600.0
# So often it is seen whether the playbooks made or removed the load balancer or a listener.
LOOK_S = 60.0
_PARALLEL = 4  # services whose targets are changed at the same time


@dataclass(frozen=True, slots=True)
class Delay:
    """When a service that failed is tried again; at once if its labels change.

    Its targets do not wait: they are changed when others are wanted than at the last failure.
    """

    wanted: Wanted | None
    failures: int
    until: float
    error: str

    @property
    def route(self) -> Route | None:
        """Of the labels that failed."""
        return self.wanted.route if self.wanted else None


@dataclass
class LoadBalancerListener:
    """Keeps a load balancer in line with the catalogue.

    Args:
        api: Elastic Load Balancing.
        cluster: whose load balancer; its name.
        instances: of the cluster.
        note: called with each change, before it is made.
        clock: seconds.
        superseded: whether a newer edition waits.
    """

    api: ElbApi
    cluster: str
    instances: InstanceIds
    note: Callable[[str], None] = lambda _: None
    clock: Callable[[], float] = time.monotonic
    name: str = "load-balancer"
    refresh_s: float | None = LOOK_S
    superseded: Callable[[], bool] = lambda: False
    balancer: LoadBalancer | None = None
    listeners: tuple[HttpListener, ...] = ()
    _found: Found | None = None
    _read_at: float = 0.0
    _looked_at: float = 0.0
    _unknown: set[str] = field(default_factory=set)  # services that are to be read again
    _delays: dict[str, Delay] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def publish(self, edition: Edition) -> None:
        """See :class:`swarmctl.discovery.listeners.listener.Listener`.

        A service that fails is tried again after 0.5 s, 1 s … 60 s and delays no other.

        Raises:
            PublishError: some services could not be published; names each.
            CloudError: nothing could be read.
        """
        found = self._read(edition)
        errors = self._addresses_without_instance(edition)
        todo = self._plan(edition, found)
        ready = [each for each in todo.services if not self._waits(each)]
        quick = [each for each in ready if each.targets_only]
        slow = [each for each in ready if not each.targets_only]
        self._delays = {
            each.service: self._delays[each.service]
            for each in todo.services
            if each.service in self._delays
        }
        self._apply(quick, found, _PARALLEL)
        self._apply(self._targets_that_wait(todo), found, _PARALLEL, rest_waits=True)
        self._apply((each for each in slow if each.wanted is None), found)
        self._move(todo, found)
        self._apply((each for each in slow if each.wanted is not None), found)
        self._raise(errors)

    def changes(self, edition: Edition) -> list[str]:
        """See :class:`swarmctl.discovery.listeners.listener.Publisher`."""
        return list(as_lines(self.compare(edition)[0]))

    def compare(self, edition: Edition) -> tuple[Plan, Found]:
        """What :meth:`publish` would change, and what is there.

        Raises:
            SwarmctlError: what is there cannot be read.
        """
        found = self._read(edition)
        return self._plan(edition, found), found

    def _plan(self, edition: Edition, found: Found) -> Plan:
        return plan(self._wanted(edition), found, self.listeners, self.instances.all)

    def _wanted(self, edition: Edition) -> tuple[Wanted, ...]:
        if self.balancer is None:
            return ()
        return wanted(edition.catalogue, self.cluster, self.balancer.vpc, self.instances.running)

    def _read(self, edition: Edition) -> Found:
        """What is there: from AWS the first time, after READ_AGAIN_S and where a call failed."""
        addresses = addresses_of(edition.catalogue)
        found = self._found
        if found is None or self.clock() - self._read_at >= READ_AGAIN_S or self._static_changed():
            self.instances.refresh(addresses, always=True)
            self._refuse_another_swarm(edition)
            found = self._found = self._read_all()
            self._read_at = self._looked_at = self.clock()
            self._unknown.clear()
        else:
            # If EC2 does not answer, only services at unknown addresses have to wait.
            with suppress(SwarmctlError):
                self.instances.refresh(addresses)
            self._read_again(edition, found)
        return found

    def _refuse_another_swarm(self, edition: Edition) -> None:
        """Two Swarms behind one load balancer would remove each other's target groups."""
        nodes = {member.address for member in edition.catalogue.members}
        if nodes and not nodes & self.instances.addresses:
            raise SwarmctlError(
                f"no node of this Swarm is an instance of the cluster {self.cluster}",
                "name the Swarm's own cluster: --cluster NAME; or add --no-load-balancer",
            )

    def _static_changed(self) -> bool:
        """Whether there is another load balancer, or another listener of it, than before."""
        if self.clock() - self._looked_at < LOOK_S:
            return False
        self._looked_at = self.clock()
        if self.balancer is None:
            return find_load_balancer(self.api, self.cluster) is not None
        try:
            return http_listeners(self.api, self.balancer) != self.listeners
        except LoadBalancingError as fault:
            if fault.code != "LoadBalancerNotFound":
                raise
            return True

    def _read_all(self) -> Found:
        self.balancer = find_load_balancer(self.api, self.cluster)
        self.listeners = http_listeners(self.api, self.balancer) if self.balancer else ()
        return Found(
            find_groups(self.api, self.cluster),
            {each.arn: find_rules(self.api, each, self.cluster) for each in self.listeners},
        )

    def _read_again(self, edition: Edition, found: Found) -> None:
        """Read what there is of services whose changes failed."""
        now = self.clock()
        want = {each.route.service: each for each in self._wanted(edition)}
        due = {
            s
            for s in self._unknown
            if (delay := self._delays.get(s)) is None
            or delay.until <= now
            or delay.wanted != want.get(s)
        }
        if not due or self.balancer is None:
            return
        for listener in self.listeners:
            found.rules[listener.arn] = find_rules(self.api, listener, self.cluster)
        with ThreadPoolExecutor(_PARALLEL) as pool:
            list(pool.map(partial(self._read_service, found, self.balancer.vpc), sorted(due)))

    def _read_service(self, found: Found, vpc: str, service: str) -> None:
        """Read a service's target groups; if that fails, the service goes on waiting."""
        names = {group_name(self.cluster, service, vpc)}
        names |= {g.name for g in tuple(found.groups.values()) if g.service == service}
        try:
            groups = find_groups(self.api, self.cluster, sorted(names))
        except SwarmctlError as fault:
            delay = self._delays.get(service)
            self._failed(service, delay.wanted if delay else None, fault.message)
            return
        with self._lock:
            for name in names:
                found.groups.pop(name, None)
            found.groups |= groups
            self._unknown.discard(service)

    def _addresses_without_instance(self, edition: Edition) -> dict[str, str]:
        if self.balancer is None:
            return {}
        missing = unknown_addresses(edition.catalogue, self.instances.running)
        return {
            service: f"no running instance of the cluster has the address {', '.join(addresses)}"
            for service, addresses in missing.items()
        }

    def _waits(self, todo: Changes) -> bool:
        delay = self._delays.get(todo.service)
        return delay is not None and delay.until > self.clock() and delay.route == todo.route

    def _targets_that_wait(self, todo: Plan) -> list[Changes]:
        """Of services that are not to be tried again yet: the targets, if others are wanted now."""
        found = []
        for each in filter(self._waits, todo.services):
            delay = self._delays[each.service]
            if delay.wanted != each.wanted:
                self._delays[each.service] = replace(delay, wanted=each.wanted)
                if each.group and (each.register or each.deregister):
                    found.append(each.targets())
        return found

    def _apply(
        self, todo: Iterable[Changes], found: Found, parallel: int = 0, *, rest_waits: bool = False
    ) -> None:
        """Make the changes of services; one after the other, unless so many at the same time.

        AWS allows three changes a second of groups and rules: a newer edition, with targets of a
        dead machine perhaps, does not wait for a hundred of them.
        """
        vpc = self.balancer.vpc if self.balancer else ""

        def change(each: Changes) -> None:
            for line in as_lines(Plan((each,))):
                self.note(line)
            try:
                apply(self.api, self.cluster, vpc, each, found)
                error = each.problem
            except SwarmctlError as fault:
                error = fault.message
            except Exception as fault:  # noqa: BLE001  # one service's must not end the others'
                error = f"{type(fault).__name__}: {fault}"
            if error:
                self._failed(each.service, each.wanted, error)
            elif not rest_waits:
                self._succeeded(each.service)

        if parallel:
            with ThreadPoolExecutor(parallel) as pool:
                list(pool.map(change, todo))
            return
        for each in todo:
            if self.superseded():
                return
            change(each)

    def _move(self, todo: Plan, found: Found) -> None:
        """Give rules other priorities, a call for each listener."""
        for listener, priorities in todo.moves.items():
            for line in as_lines(Plan(moves={listener: priorities})):
                self.note(line)
            rules = found.rules[listener]
            try:
                move_rules(self.api, priorities)
            except SwarmctlError as fault:
                want = {each.service: each.wanted for each in todo.services}
                for rule in rules:
                    if rule.arn in priorities and rule.service:
                        self._failed(rule.service, want.get(rule.service), fault.message)
                continue
            found.rules[listener] = tuple(
                replace(rule, priority=priorities.get(rule.arn, rule.priority)) for rule in rules
            )

    def _failed(self, service: str, wanted: Wanted | None, error: str) -> None:
        route = wanted.route if wanted else None
        with self._lock:
            before = self._delays.get(service)
            failures = before.failures + 1 if before and before.route == route else 1
            if failures == 1:
                self.note(f"! {service}: {error}; trying again")
            pause = backoff(failures) * random.uniform(0.75, 1.25)  # noqa: S311  # no secret
            self._delays[service] = Delay(wanted, failures, self.clock() + pause, error)
            self._unknown.add(service)

    def _succeeded(self, service: str) -> None:
        with self._lock:
            if self._delays.pop(service, None):
                self.note(f"{service}: works again")

    def _raise(self, errors: dict[str, str]) -> None:
        """Report what is not published, and when to try again."""
        errors |= {service: delay.error for service, delay in self._delays.items()}
        if errors:
            soonest = min((d.until for d in self._delays.values()), default=math.inf)
            wait = min(ASK_AGAIN_S, max(0.05, soonest - self.clock()))
            text = "; ".join(f"{service}: {error}" for service, error in sorted(errors.items()))
            raise PublishError(text, wait)
