"""A VPC in the lab: one Docker network with the VPC's own CIDR, and the image mirror in it."""

from __future__ import annotations

from ipaddress import ip_network

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container
from docker.types import IPAMConfig, IPAMPool

from swarmctl.errors import SwarmctlError
from swarmctl.lab.firewall import gateway_of
from swarmctl.lab.host.addresses import conflict, taken_here
from swarmctl.lab.machine import LAB_LABEL


def network_name(lab: str, vpc: str) -> str:
    """The Docker network of a VPC."""
    return f"swarmctl-{lab}-{vpc}"


def mirror_container(lab: str) -> str:
    """The container of a lab's image mirror."""
    return f"swarmctl-{lab}-mirror"


def mirror_ip(cidr: str) -> str:
    """The mirror's address in a VPC: the fourth of the network, which AWS reserves too.

    https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html
    """
    return str(ip_network(cidr)[3])


def start_mirror(client: docker.DockerClient, lab: str, image: str) -> str:
    """Start the lab's image mirror, unless it already runs from the same image.

    Returns:
        Its address on this computer, where images of one's own can be pushed.
    """
    name = mirror_container(lab)
    try:
        present = client.containers.get(name)
    except NotFound:
        present = None
    if present is not None:
        if present.status == "running" and present.attrs["Config"]["Image"] == image:
            return _published(present)
        present.remove(force=True, v=True)
    return _published(
        client.containers.run(
            image,
            name=name,
            detach=True,
            ports={"5000/tcp": ("127.0.0.1", 0)},  # the Engine accepts plain HTTP there
            labels={LAB_LABEL: lab},
        )
    )


def _published(mirror: Container) -> str:
    mirror.reload()
    bindings = mirror.ports["5000/tcp"] or []
    return f"127.0.0.1:{bindings[0]['HostPort']}"


def ensure_network(
    client: docker.DockerClient, lab: str, vpc: str, cidr: str, *, mirror: bool = True
) -> None:
    """Create the Docker network of a VPC, with the image mirror in it, unless it exists.

    Raises:
        SwarmctlError: something else on this machine uses these addresses.
    """
    name = network_name(lab, vpc)
    if client.networks.list(names=[name]):
        return
    if problem := conflict(cidr, taken_here(client, lab)):
        raise SwarmctlError(f"no Docker network for {vpc}: {problem}")
    pool = IPAMPool(subnet=cidr, gateway=gateway_of(cidr))
    try:
        network = client.networks.create(
            name,
            driver="bridge",
            ipam=IPAMConfig(pool_configs=[pool]),
            labels={LAB_LABEL: lab},
            check_duplicate=True,
        )
    except APIError as error:
        raise SwarmctlError(f"no Docker network for {vpc} ({cidr}): {error.explanation}") from error
    if mirror:
        network.connect(mirror_container(lab), ipv4_address=mirror_ip(cidr))


def remove_unused(client: docker.DockerClient, lab: str, vpcs: set[str]) -> None:
    """Remove the networks of a lab's VPCs, except those with an id in ``vpcs``."""
    wanted = {network_name(lab, vpc) for vpc in vpcs}
    for network in client.networks.list(filters={"label": f"{LAB_LABEL}={lab}"}):
        name = str(network.name)
        if name not in wanted:
            remove_network(client, name)


def remove_network(client: docker.DockerClient, name: str) -> None:
    """Disconnect everything from a network, then remove it."""
    network = client.networks.get(name)
    for container in network.attrs.get("Containers") or {}:
        network.disconnect(container, force=True)
    network.remove()
