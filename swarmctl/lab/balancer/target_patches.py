"""Patches for moto 5.2.5's targets: ports, draining, and health that is the machines'."""

from __future__ import annotations

import time
from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import Any

from moto.elbv2.exceptions import ELBClientError, TargetGroupNotFoundError, TargetNotRunning
from moto.elbv2.models import ELBv2Backend, FakeHealthStatus, FakeTargetGroup

from swarmctl.lab.balancer.elbv2 import balancer_of, group_key, is_port, zones
from swarmctl.lab.balancer.health import TRAFFIC_PORT
from swarmctl.lab.balancer.targets import NOT_REGISTERED, Registrations, Report, status

Reports = Mapping[str, Mapping[str, Report]]  # by group and target


def apply(reports: Reports) -> None:
    """Patch moto in this process; ``reports``: what load balancers' machines say of targets."""
    _targets_have_ports_and_drain()
    _target_health_is_the_machines(reports)


def _targets_have_ports_and_drain() -> None:
    """moto keys targets by instance alone, refuses a second deregistration, and never drains.

    Can be removed when targets are keyed by id and port, and stay ``draining`` for the delay.
    """
    original = FakeTargetGroup.__init__

    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        self.registrations = Registrations()

    def register(self: Any, targets: list[dict[str, Any]]) -> None:
        for target in targets:
            instance = self.ec2_backend.get_instance_by_id(target["Id"])
            if target["Id"].startswith("i-") != (self.target_type == "instance") or (
                instance is None and self.target_type == "instance"
            ):
                raise ELBClientError(
                    "ValidationError", f"The target ID '{target['Id']}' is not valid"
                )
            if instance and instance.state != "running":
                raise TargetNotRunning(instance_id=target["Id"])
            if instance and instance.vpc_id != self.vpc_id:
                raise ELBClientError(
                    "InvalidTarget",
                    f"The following targets are not in the target group VPC '{self.vpc_id}': "
                    f"'{target['Id']}'",
                )
            _check_address(self, target)
        wanted = [(t["Id"], int(t.get("Port") or self.port)) for t in targets]
        self.registrations.add(wanted, time.time())

    def deregister(self: Any, targets: list[dict[str, Any]]) -> None:
        names = [f"{t['Id']}:{t.get('Port') or self.port}" for t in targets]
        self.registrations.drain(names, time.time(), _delay(self))

    def deregister_terminated_instances(self: Any, instance_ids: list[str]) -> None:
        now = time.time()
        names = [r.name for r in self.registrations.now(now) if r.id in instance_ids]
        self.registrations.drain(names, now, _delay(self))

    FakeTargetGroup.__init__ = init  # type: ignore[method-assign]  # patch
    FakeTargetGroup.register = register  # type: ignore[method-assign]  # patch
    FakeTargetGroup.deregister = deregister  # type: ignore[method-assign]  # patch
    FakeTargetGroup.deregister_terminated_instances = deregister_terminated_instances  # type: ignore[method-assign]  # patch


def _check_address(group: Any, target: Mapping[str, Any]) -> None:
    """Both parts become a server's address, and the name of the server."""
    port = target.get("Port") or group.port
    if not is_port(port):
        raise ELBClientError("ValidationError", f"The port '{port}' is not valid")
    if group.target_type == "ip":
        try:
            IPv4Address(target["Id"])
        except ValueError:
            why = f"The IP address '{target['Id']}' is not a valid IPv4 address"
            raise ELBClientError("ValidationError", why) from None


def _delay(group: Any) -> float:
    return float(group.attributes["deregistration_delay.timeout_seconds"])


def _target_health_is_the_machines(reports: Reports) -> None:
    """moto's targets are always healthy.

    Permanent.
    """

    def describe_target_health(
        self: Any, target_group_arn: str, targets: list[dict[str, Any]]
    ) -> list[FakeHealthStatus]:
        group = self.target_groups.get(target_group_arn)
        if group is None:
            raise TargetGroupNotFoundError
        known = {r.name: r for r in group.registrations.now(time.time())}
        asked = [f"{t['Id']}:{t.get('Port') or group.port}" for t in targets] or list(known)
        balancer = balancer_of(self, target_group_arn)
        return [_health(self, group, name, known.get(name), balancer, reports) for name in asked]

    ELBv2Backend.describe_target_health = describe_target_health  # type: ignore[method-assign]  # patch


def _health(
    backend: Any, group: Any, name: str, target: Any, balancer: Any, reports: Reports
) -> FakeHealthStatus:
    identity, _, port = name.rpartition(":")
    found = NOT_REGISTERED
    if target:
        instance = backend.ec2_backend.get_instance_by_id(identity)
        found = status(
            target,
            used=balancer is not None,
            zones=zones(balancer) if balancer else (),
            instance=(instance.state, instance.placement.zone) if instance else None,
            reports=reports.get(group_key(group.arn), {}),
        )
    check_port = port if group.health_check_port == TRAFFIC_PORT else group.health_check_port
    return FakeHealthStatus(
        identity, port, check_port, found.state, found.reason or None, found.description or None
    )
