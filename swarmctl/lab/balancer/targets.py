"""The targets of a target group as the API knows them, and what DescribeTargetHealth says of one.

https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Status:
    """A state, with AWS's reason code and description."""

    state: str
    reason: str = ""
    description: str = ""


NOT_REGISTERED = Status(
    "unused", "Target.NotRegistered", "Target is not registered to the target group"
)
NOT_IN_USE = Status(
    "unused",
    "Target.NotInUse",
    "Target group is not configured to receive traffic from the load balancer",
)
OTHER_ZONE = Status(
    "unused",
    "Target.NotInUse",
    "Target is in an Availability Zone that is not enabled for the load balancer",
)
STOPPED = Status("unused", "Target.InvalidState", "Target is in the stopped state")
DRAINING = Status(
    "draining", "Target.DeregistrationInProgress", "Target deregistration is in progress"
)
REGISTERING = Status("initial", "Elb.RegistrationInProgress", "Target registration is in progress")


@dataclass(frozen=True, slots=True)
class Registration:
    """A registered target. Times are Unix times."""

    id: str  # of an instance, or an address
    port: int
    since: float
    drains_until: float = 0.0  # 0: it is not draining

    @property
    def name(self) -> str:
        """``ID:PORT``."""
        return f"{self.id}:{self.port}"


@dataclass(slots=True)
class Registrations:
    """The targets of one target group; whose draining has ended is gone."""

    _found: dict[str, Registration] = field(default_factory=dict)

    def now(self, time: float) -> tuple[Registration, ...]:
        """The targets now, the draining ones included."""
        for name, target in list(self._found.items()):
            if target.drains_until and target.drains_until <= time:
                del self._found[name]
        return tuple(self._found.values())

    def add(self, wanted: Iterable[tuple[str, int]], time: float) -> None:
        """Register targets; a registered one stays as it is, a draining one starts anew."""
        self.now(time)
        for target in (Registration(*each, time) for each in wanted):
            if (found := self._found.get(target.name)) is None or found.drains_until:
                self._found[target.name] = target

    def drain(self, names: Iterable[str], time: float, delay: float) -> None:
        """Deregister targets; one that is unknown, or draining already, is no error."""
        for name in names:
            if (found := self._found.get(name)) and not found.drains_until:
                self._found[name] = replace(found, drains_until=time + delay)
        self.now(time)


@dataclass(frozen=True, slots=True)
class Report:
    """What a load balancer's machine says of a target that was registered at ``since``."""

    since: float
    status: Status


def status(
    target: Registration,
    *,
    used: bool,
    zones: Iterable[str],
    instance: tuple[str, str] | None,
    reports: Mapping[str, Report],
) -> Status:
    """The status of a registered target.

    Args:
        target: the target.
        used: whether a rule forwards to its group.
        zones: the zones of the load balancer.
        instance: the state and the zone of the target's instance, if it is one.
        reports: by name, what the load balancer's machine says of the group's targets.
    """
    if target.drains_until:
        return DRAINING
    if not used:
        return NOT_IN_USE
    if instance:
        state, zone = instance
        if state in ("stopped", "terminated"):
            return STOPPED
        if zone not in zones:
            return OTHER_ZONE
    found = reports.get(target.name)
    return found.status if found and found.since == target.since else REGISTERING
