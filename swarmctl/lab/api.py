"""The lab's AWS API: moto in this process, and a plain view of its state.

The API is served on loopback and to the lab's machines, to requests signed with a key of the lab's
own. They are answered one at a time under a lock, so a view is always consistent. Each request that
changes something wakes the controller.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import tempfile
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Literal

from swarmctl.lab.access.api_error import ApiError, json_answer
from swarmctl.lab.access.call import Call
from swarmctl.lab.access.gate import Gate
from swarmctl.lab.access.iam import announce, key_of_user, require_permission
from swarmctl.lab.access.keys import Key, KeyRing
from swarmctl.lab.access.traffic import CONTROL, Traffic
from swarmctl.lab.balancer import elbv2
from swarmctl.lab.balancer.model import LoadBalancer
from swarmctl.lab.balancer.targets import Report
from swarmctl.lab.host.computer import Computer
from swarmctl.lab.metadata.facts import Facts, facts_of
from swarmctl.lab.registry import settings
from swarmctl.lab.registry.gateway import Gateway
from swarmctl.lab.registry.tokens import Tokens
from swarmctl.lab.resolver.answers import VpcNames
from swarmctl.lab.resolver.zones import vpc_names

ACCOUNT = "123456789012"  # moto's; the owner that "self" means
DEBIAN = "136693071363"  # the account that publishes Debian's AMIs
GOLDEN_AMI = "ami-0debde13d0c4e0001"
BARE_AMI = "ami-0debde13000000001"
OLDER_ENGINE_AMI = "ami-0debde13d0c4e0000"

_AWAY = ("shutting-down", "stopped", "terminated")  # no machine of theirs asks for anything


@dataclass(frozen=True, slots=True)
class Rule:
    """One ingress rule: a protocol, its ports, and the allowed source."""

    protocol: str  # "tcp", "udp", "icmp", "all" or a protocol number
    from_port: int  # -1 where the protocol has no ports
    to_port: int
    cidr: str = ""
    group: str = ""  # the id of the group whose members are allowed


@dataclass(frozen=True, slots=True)
class Ec2Instance:
    """An instance in the API: the desired state of a machine."""

    id: str
    name: str
    state: str
    image: str
    ip: str
    vpc: str
    groups: tuple[str, ...]
    public_key: str = ""
    user_data: bytes = b""
    force_stop: bool = False
    reboot_requested: bool = False
    launched: bool = False  # its machine has run: it has a disk that must not be lost
    reason: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """The API's state at one moment: instances, VPC CIDRs by id, ingress rules by group id.

    ``departed``: the ids of load balancers that were deleted and may still have a machine.
    """

    instances: tuple[Ec2Instance, ...]
    vpcs: dict[str, str]
    rules: dict[str, tuple[Rule, ...]]
    balancers: tuple[LoadBalancer, ...] = ()
    departed: tuple[str, ...] = ()


class Api:
    """The served API, and the only way to read or change its state."""

    def __init__(self, computer: Computer, *changed: threading.Event, limited: bool = True) -> None:
        """Load moto; nothing is served yet.

        Args:
            computer: what the API asks of this computer.
            changed: set after every request that may have changed something.
            limited: whether AWS's limits of calls a second hold.
        """
        # moto reads its environment, and the file, when it is imported: here, or before, by tests.
        with tempfile.TemporaryDirectory(prefix="swarmctl-amis-") as folder:
            file = Path(folder, "amis.json")
            file.write_text(json.dumps(_amis()))
            os.environ["MOTO_AMIS_PATH"] = str(file)
            os.environ["MOTO_DISABLE_GLOBAL_CORS"] = "true"
            from moto.ec2.models import amis
            from moto.moto_server.werkzeug_app import (
                DomainDispatcherApplication,
                create_backend_app,
            )

            from swarmctl.lab import patches
            from swarmctl.lab.balancer import patches as balancer_patches
            from swarmctl.lab.interfaces import patches as interface_patches
            from swarmctl.lab.registry import patches as registry_patches
            from swarmctl.lab.resolver import cloud_map_patches, route53_patches

            amis.AMIS = _amis()
            self._lock = threading.RLock()
            self._traffic = Traffic(limited=limited)
            self.registry = Gateway(ACCOUNT, Tokens(), self._traffic, self._lock)
            self._reports: dict[str, dict[str, Report]] = {}
            patches.apply(computer)
            interface_patches.apply()
            balancer_patches.apply(self._reports)
            registry_patches.apply(self.registry)
            cloud_map_patches.apply()
            route53_patches.apply()
        self._patches = patches
        self._interfaces = interface_patches
        self._changed = changed
        self._app = DomainDispatcherApplication(create_backend_app)
        # By VPC, until a request changes something; facts by the instance's address.
        self._names: dict[str, VpcNames] = {}
        self._facts: dict[str, dict[str, Facts]] = {}
        self._announced: set[str] = set()
        self._keys = KeyRing(Key("", secrets.token_urlsafe()))  # none, until ``serve``

    def serve(self, port: int, key_id: str, secret: str) -> int:
        """Answer requests in a background thread.

        Args:
            port: the TCP port on 127.0.0.1; 0 for any.
            key_id: the access key id that requests must be signed with.
            secret: its secret access key.

        Returns:
            The port.
        """
        from swarmctl.lab.http_server import http_server

        self._keys = KeyRing(Key(key_id, secret), of_user=lambda i: key_of_user(ACCOUNT, i))

        def hosts() -> tuple[str, str]:
            return f"127.0.0.1:{server.port}", f"localhost:{server.port}"

        server = http_server("127.0.0.1", port, self.gate(hosts))
        threading.Thread(target=server.serve_forever, daemon=True, name="api").start()
        return server.port

    def gate(self, hosts: Callable[[], Collection[str]]) -> Gate:
        """The API as a WSGI application, for requests to one of ``hosts``."""
        return Gate(self._answer, hosts, self._keys)

    def _answer(
        self, environ: dict[str, Any], start_response: Any, key: Key, call: Call
    ) -> Iterable[bytes]:
        if call.service == CONTROL and call.action == settings.ACTION:
            return json_answer(start_response, settings.change(self.registry, key, call))
        if call.service == CONTROL:
            return json_answer(start_response, self._traffic.control(key, call))
        self._traffic.admit(key, call)
        with self._lock:
            try:
                require_permission(ACCOUNT, key, call)
            except ApiError as error:
                self._traffic.deny(key, call, error)
                raise
            if call.name == "ecr:GetAuthorizationToken":
                return json_answer(start_response, self.registry.authorization(key, call))
            body = list(self._app(environ, start_response))
            # Events come in all the time, and nothing else depends on them.
            quiet = call.service == "logs"
            if not (call.reads or quiet):
                self._forget()
        if environ["REQUEST_METHOD"] != "GET" and not quiet:
            self._wake()
        return body

    # Machines ask the next two at any time, and wait for seconds at most: what is known is answered
    # without the lock, which a request may hold for long.

    def names_in(self, vpc: str) -> VpcNames:
        """What the resolver of a VPC knows now.

        Raises:
            LookupError: there is no such VPC (any more).
        """
        if (known := self._names.get(vpc)) is not None:
            return known
        with self._lock:
            backend = next((b for b in _backends() if vpc in b.vpcs), None)
            if backend is None:
                raise LookupError(f"there is no {vpc}")
            cidr = backend.vpcs[vpc].cidr_block
            found = vpc_names(ACCOUNT, backend.region_name, vpc, cidr)
            self._names[vpc] = found
            return found

    def facts_at(self, vpc: str, address: str) -> Facts | None:
        """The instance that has a private address in a VPC, for its metadata."""
        if (known := self._facts.get(vpc)) is not None:
            return known.get(address)
        with self._lock:
            found = {
                instance.private_ip: facts_of(backend, instance, _user_data(instance))
                for backend in _backends()
                for instance in backend.all_instances()
                if instance.vpc_id == vpc and instance.state not in _AWAY
            }
            self._facts[vpc] = found
            return found.get(address)

    def _forget(self) -> None:
        self._names.clear()
        self._facts.clear()

    def key_of(self, facts: Facts) -> Key:
        """The key with which an instance uses its role."""
        key = self._keys.of_role(facts.role, facts.id)
        if key.id not in self._announced:
            with self._lock:
                announce(ACCOUNT, facts.region, key)
            self._announced.add(key.id)
        return key

    def _wake(self) -> None:
        for event in self._changed:
            event.set()

    def view(self) -> View:
        """The state of the API now."""
        with self._lock:
            backends = list(_backends())
            return View(
                instances=tuple(_instance(b, i) for b in backends for i in b.all_instances()),
                vpcs={v.id: v.cidr_block for b in backends for v in b.vpcs.values()},
                rules={
                    group.id: tuple(r for rule in group.ingress_rules for r in _rules(rule))
                    for b in backends
                    for groups in b.groups.values()
                    for group in groups.values()
                },
                balancers=tuple(b for elb in _backends("elbv2") for b in elbv2.balancers(elb)),
                departed=tuple(b for elb in _backends("elbv2") for b in elb.departed),
            )

    def move(self, instance_id: str, state: str, *, was: str, reason: str = "") -> None:
        """Record a machine's new state, unless a request has changed the state from ``was``."""
        with self._lock:
            for backend in _backends():
                for instance in backend.all_instances():
                    if instance.id == instance_id and instance.state == was:
                        if state == "terminated" and was != "shutting-down":
                            instance.terminate()  # gives back its volume and address
                        self._patches.set_state(instance, state, reason)
                        if state == "terminated":
                            self._interfaces.detach(instance)
                        instance.reboot_requested = False
                        instance.launched = instance.launched or state == "running"
            self._forget()
        self._wake()

    def serves(self, balancer_id: str) -> None:
        """Record that the machine of a load balancer answers requests."""
        with self._lock:
            for backend in _backends("elbv2"):
                for balancer in backend.load_balancers.values():
                    if elbv2.balancer_id(balancer.arn) == balancer_id:
                        balancer.state = "active"

    def report(self, group: str, target: str, report: Report) -> None:
        """Record what the machine of a load balancer says of a target."""
        with self._lock:
            self._reports.setdefault(group, {})[target] = report

    def release(self, balancer_id: str) -> None:
        """Give back the address of a deleted load balancer, whose machine is gone."""
        with self._lock:
            for backend in _backends("elbv2"):
                if balancer := backend.departed.pop(balancer_id, None):
                    balancer.home.del_subnet_ip(balancer.dns_name)


def _backends(service: Literal["ec2", "elbv2"] = "ec2") -> Iterator[Any]:
    from moto.backends import get_backend

    yield from list(get_backend(service)[ACCOUNT].values())


def _instance(backend: Any, instance: Any) -> Ec2Instance:
    pair = backend.key_pairs.get(instance.key_name)
    return Ec2Instance(
        id=instance.id,
        name=next((t["value"] for t in instance.get_tags() if t["key"] == "Name"), instance.id),
        state=instance.state,
        image=instance.image_id,
        ip=instance.private_ip or "",
        vpc=instance.vpc_id or "",
        groups=tuple(sorted({g.id for nic in instance.nics.values() for g in nic.group_set})),
        public_key=pair.public_key if pair else "",
        user_data=_user_data(instance),
        force_stop=instance.force_stop,
        reboot_requested=instance.reboot_requested,
        launched=instance.launched,
        reason=instance._reason or "",
    )


def _user_data(instance: Any) -> bytes:
    return base64.b64decode(str(instance.user_data)) if instance.user_data else b""


def _rules(rule: Any) -> Iterator[Rule]:
    protocol = "all" if rule.ip_protocol == "-1" else rule.ip_protocol
    low = -1 if rule.from_port is None else int(rule.from_port)
    high = -1 if rule.to_port is None else int(rule.to_port)
    if cidr := rule.ip_range.get("CidrIp"):
        yield Rule(protocol, low, high, cidr=str(ip_network(cidr, strict=False)))
    if group := rule.source_group.get("GroupId"):
        yield Rule(protocol, low, high, group=group)


def _amis() -> list[dict[str, Any]]:
    """The AMIs of the lab, in the form moto loads them."""
    common: dict[str, Any] = {
        "state": "available",
        "public": True,
        "image_type": "machine",
        "architecture": "x86_64",
        "virtualization_type": "hvm",
        "hypervisor": "xen",
        "root_device_type": "ebs",
        "root_device_name": "/dev/xvda",
        "creation_date": "2026-01-01T00:00:00.000Z",
    }
    golden = {
        "ami_id": GOLDEN_AMI,
        "owner_id": ACCOUNT,
        "name": "swarmctl-lab-debian-13-docker",
        "description": "Debian 13 with Docker Engine",
        "tags": {"swarmctl:ami-family": "debian13"},
    }
    bare = {
        "ami_id": BARE_AMI,
        "owner_id": DEBIAN,
        "name": "debian-13-amd64-swarmctl-lab",
        "description": "Debian 13 without Docker Engine",
    }
    older = {
        "ami_id": OLDER_ENGINE_AMI,
        "owner_id": ACCOUNT,
        "name": "swarmctl-lab-debian-13-docker-20.10",
        "description": "Debian 13 with the Docker Engine of Debian 12",
    }
    return [common | ami for ami in (golden, bare, older)]
