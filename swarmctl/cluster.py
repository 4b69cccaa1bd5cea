"""Which Swarm a command means, and how to reach its managers.

``--host`` names one manager; without it, EC2's tags name the managers of ``--cluster``, of
``$SWARMCTL_CLUSTER`` or of the only cluster in the region; those of other machines the playbooks
have recorded (``own_machines.py``).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.reading.jump import MANAGERS, jump_host
from swarmctl.reading.names import cluster_name, unknown
from swarmctl.state import cluster_dir, outside_aws, state_dir
from swarmctl.swarm.ssh import Endpoint

if TYPE_CHECKING:
    from swarmctl.cloud.instances import Cloud, Instance
    from swarmctl.cloud.rules import Rule
    from swarmctl.swarm.client import SwarmClient
    from swarmctl.swarm.connect import Failover
    from swarmctl.swarm.shell import Shells


@dataclass(frozen=True, slots=True)
class Target:
    """A Swarm to connect to. Only ``endpoints`` is set when ``--host`` named it.

    ``cloud`` is ``None``, too, when its machines are not EC2's.
    """

    endpoints: tuple[Endpoint, ...]
    cluster: str = ""
    instances: tuple[Instance, ...] = ()
    cloud: Cloud | None = None

    def connect(self) -> SwarmClient:
        """A connection to the first manager that answers."""
        from swarmctl.swarm.connect import connect

        return connect(self.endpoints)

    def failover(self) -> Failover:
        """A connection that moves to another manager when its own fails."""
        from swarmctl.swarm.connect import Failover

        return Failover(self.endpoints)

    def nodes(self) -> dict[str, Endpoint]:
        """How to reach every running node, by name; with ``--host``, that manager only."""
        if not self.instances:
            return {str(where): where for where in self.endpoints}
        where = endpoints(self.instances)
        return {i.name: where[i.name] for i in self.instances if i.state == "running"}

    def rules(self) -> dict[str, tuple[Rule, ...]]:
        """The security group rules of every node by name; empty without EC2.

        Raises:
            CloudError: the call to EC2 failed.
        """
        if self.cloud is None:
            return {}
        from swarmctl.cloud.security_groups import rules_of

        groups = self.cloud.security_groups(self.cluster, self.instances)
        return {i.name: rules_of(self.cluster, i.groups, groups) for i in self.instances}

    def shell(self) -> Shells | None:
        """Commands on the nodes; ``None`` if ``--host`` was given: only EC2 tells their addresses.

        Known are the machines that existed when the target was resolved.
        """
        from swarmctl.swarm.shell import Shells

        if not self.instances:
            return None
        return Shells(lambda: endpoints(self.instances))


def resolve(
    cluster: str | None = None,
    host: str | None = None,
    cloud: Callable[[], Cloud] | None = None,
) -> Target:
    """The Swarm that a command line means.

    Args:
        cluster: the name of a cluster; ``None`` for ``$SWARMCTL_CLUSTER`` or the only one.
        host: ``ssh://user@address[:port]`` or ``unix:///path``; takes precedence over the cluster.
        cloud: makes the EC2 client, unless a host is given; replaced in tests.

    Raises:
        UsageError: the host is not such a URL, the cluster is unknown, or there are several.
        SwarmctlError: the call to EC2 failed, or no manager is running.
    """
    if host:
        return Target((parse_host(host),))
    return on(cloud() if cloud else machines_of(cluster), cluster)


def on(ec2: Cloud, cluster: str | None = None) -> Target:
    """The Swarm on these machines; see :func:`find`."""
    name, instances = find(ec2, cluster)
    endpoints = manager_endpoints(name, instances)
    return Target(endpoints, name, instances, None if outside_aws(name) else ec2)


def machines_of(cluster: str | None = None, region: str | None = None) -> Cloud:
    """Where a cluster's machines are looked up: EC2, or what the playbooks recorded of others.

    Args:
        cluster: its name; ``None`` for ``$SWARMCTL_CLUSTER`` or the only one.
        region: of EC2.

    Raises:
        CloudError: EC2 cannot be asked.
    """
    from swarmctl.cloud.instances import Cloud
    from swarmctl.cloud.words import CloudError
    from swarmctl.own_machines import OwnMachines

    own, name = OwnMachines(), cluster or os.environ.get("SWARMCTL_CLUSTER")
    if name in own.clusters():
        return own
    try:
        return Cloud(region)
    except CloudError:  # no AWS on this machine
        if name or not own.clusters():
            raise
        return own


def named(target: Target, cluster: str | None) -> str:
    """The cluster's name, also with ``--host``; ``""`` if nothing says it.

    Args:
        target: resolved.
        cluster: the option's; ``None`` for ``$SWARMCTL_CLUSTER``.

    Raises:
        UsageError: this is no name.
    """
    name = target.cluster or cluster or os.environ.get("SWARMCTL_CLUSTER", "")
    return cluster_name(name) if name else ""


def name_only(cluster: str | None = None) -> str:
    """The name of the cluster that a command line means; EC2 is asked only if nothing says it.

    Args:
        cluster: the option's; ``None`` for ``$SWARMCTL_CLUSTER`` or the only cluster.

    Raises:
        UsageError: this is no name, or there are several clusters.
        SwarmctlError: there is no cluster, or the call to EC2 failed.
    """
    if name := cluster or os.environ.get("SWARMCTL_CLUSTER"):
        return cluster_name(name)
    return find(machines_of())[0]


def find(ec2: Cloud, cluster: str | None = None) -> tuple[str, tuple[Instance, ...]]:
    """A cluster's name and its instances, whether they are running or not.

    Args:
        ec2: the EC2 API.
        cluster: its name; ``None`` for ``$SWARMCTL_CLUSTER`` or the only one.

    Raises:
        UsageError: this is no name, the cluster is unknown, or there are several.
        SwarmctlError: there is no cluster, or the call to EC2 failed.
    """
    name = os.environ.get("SWARMCTL_CLUSTER") or None if cluster is None else cluster
    if name is not None:
        name = cluster_name(name)
        if instances := ec2.instances(name):
            return name, instances
    known = ec2.clusters()
    if not known:
        raise SwarmctlError(
            f"there is no cluster in {ec2.region}",
            "create one: ansible-playbook playbooks/site.yml; or name a manager: "
            "--host ssh://user@ip",
        )
    if name is not None:
        raise unknown("cluster", name, known)
    if len(known) > 1:
        raise UsageError(
            f"there are several clusters in {ec2.region}: {', '.join(known)}",
            "name one: --cluster NAME, or export SWARMCTL_CLUSTER=NAME",
        )
    return known[0], ec2.instances(known[0])


def manager_endpoints(cluster: str, instances: Iterable[Instance]) -> tuple[Endpoint, ...]:
    """How to reach the running managers among these instances.

    Raises:
        SwarmctlError: none of them is running.
    """
    managers = [instance for instance in instances if instance.role == "manager"]
    running = [instance for instance in managers if instance.state == "running"]
    if not running:
        states = ", ".join(f"{i.name} is {i.state}" for i in managers)
        hint = "create them: ansible-playbook playbooks/provision.yml"
        if managers:
            ids = " ".join(instance.id for instance in managers)
            hint = f"start one: aws ec2 start-instances --instance-ids {ids}"
        raise SwarmctlError(
            f"no manager of the cluster {cluster} is running: "
            f"{states or 'no instance is tagged as one'}",
            hint,
        )
    return tuple(endpoint(instance, running) for instance in running)


def endpoints(instances: Iterable[Instance]) -> dict[str, Endpoint]:
    """How to reach each of a cluster's instances, by name."""
    every = tuple(instances)
    return {instance.name: endpoint(instance, every) for instance in every}


def endpoint(instance: Instance, others: Iterable[Instance] = ()) -> Endpoint:
    """How to reach one instance: the cluster's key, and the host key under the instance's id.

    Args:
        instance: to be reached.
        others: of its cluster; the managers among them may be the way to it.
    """
    folder = cluster_dir(cluster_name(instance.cluster))  # a tag can be set by hand
    return Endpoint(
        address=instance.address,
        user=instance.ssh_user or "root",
        host_key_alias=instance.id,
        port=instance.ssh_port,
        key_file=_key_file(instance, folder),
        known_hosts=(folder / "known_hosts",),
        name=instance.name,
        jumps=_jumps(instance, others, folder),
    )


def _jumps(instance: Instance, others: Iterable[Instance], folder: Path) -> tuple[Endpoint, ...]:
    """The machines that SSH to an instance goes through; see ``ssh_jump`` in group_vars/all.yml.

    Raises:
        UsageError: its tag, which can be set by hand, names no machine.
    """
    if instance.ssh_jump == MANAGERS:
        if instance.role == "manager":
            return ()
        return tuple(endpoint(i) for i in others if i.role == "manager" and i.state == "running")
    if not instance.ssh_jump:
        return ()
    try:
        user, address, port = jump_host(instance.ssh_jump)
    except ValueError as fault:
        raise UsageError(f"{instance.name}: {fault}", "playbooks/site.yml sets the tag") from fault
    key = folder / "id_ed25519"
    return (
        Endpoint(
            address=address,
            user=user or os.environ.get("USER", "root"),
            port=int(port or 22),
            host_key_alias=f"[{address}]:{port}" if port not in ("", "22") else address,
            key_file=key if key.is_file() else None,
            own_keys=True,
            known_hosts=(folder / "known_hosts", Path.home() / ".ssh" / "known_hosts"),
            name="the jump host",
        ),
    )


def _key_file(instance: Instance, folder: Path) -> Path | None:
    if instance.ssh_key is None:
        return folder / "id_ed25519"
    return Path(instance.ssh_key).expanduser() if instance.ssh_key else None


def parse_host(url: str) -> Endpoint:
    """The endpoint that ``--host`` names.

    Its host key must be that of a cluster's node, whose SSH key is then used; or be known under the
    address (``[address]:port`` for another port than 22) in ``~/.ssh/known_hosts`` or a cluster's.

    Raises:
        UsageError: it is neither ``ssh://user@address[:port]`` nor ``unix:///path``.
    """
    wrong = UsageError(
        f"cannot read --host {url!r}",
        "write ssh://user@address, ssh://user@address:port or unix:///var/run/docker.sock",
    )
    if url.startswith("unix:///"):
        return Endpoint(address=url)
    try:
        parts = urlsplit(url)
        port = parts.port or 22
    except ValueError as fault:  # a port that is no number
        raise wrong from fault
    if parts.scheme != "ssh" or not parts.hostname or parts.path not in ("", "/"):
        raise wrong
    alias = parts.hostname if port == 22 else f"[{parts.hostname}]:{port}"
    files, key = _known_to_a_cluster(alias)
    return Endpoint(
        address=parts.hostname,
        user=parts.username or os.environ.get("USER", "root"),
        port=port,
        host_key_alias=alias,
        key_file=key,
        known_hosts=(*files, Path.home() / ".ssh" / "known_hosts"),
        clusters=tuple(file.parent for file in files),
    )


def _known_to_a_cluster(alias: str) -> tuple[tuple[Path, ...], Path | None]:
    """Every cluster's known_hosts; and the key of the cluster that knows this host, if one does."""
    import paramiko

    files = tuple(sorted(state_dir().glob("clusters/*/known_hosts")))
    for path in files:
        key = path.parent / "id_ed25519"
        if key.is_file() and paramiko.HostKeys(str(path)).lookup(alias) is not None:
            return files, key
    return files, None
