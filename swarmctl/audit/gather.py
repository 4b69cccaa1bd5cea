"""Gathers what the checks need: from the managers, from every node, from the registries."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import docker.errors

from swarmctl.audit.ask_nodes import ask_nodes
from swarmctl.audit.facts import Facts, NodeFacts
from swarmctl.autolock.store import store_of
from swarmctl.backup.last import CONFIG, last_of
from swarmctl.cluster import Target
from swarmctl.errors import SwarmctlError
from swarmctl.network.check import check_network
from swarmctl.prefetch.survey import chosen
from swarmctl.reading.times import parse_time
from swarmctl.registry.credentials import Keyring
from swarmctl.registry.renewed import HOST
from swarmctl.swarm.client import SwarmClient
from swarmctl.swarm.model import Service
from swarmctl.swarm.observe.images import NodeImages, known_images, live_hosts
from swarmctl.swarm.parse import parse_swarm
from swarmctl.swarm.snapshot import take_snapshot


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to audit.

    Attributes:
        stacks: whose services; all services if empty.
        network: whether to check the network as well.
        unlock_key: the key that the user has stored; ``""``: not given.
        unlock_key_stored: whether the user says that it is.
    """

    stacks: Sequence[str] = ()
    network: bool = False
    unlock_key: str = ""
    unlock_key_stored: bool = False


def gather(target: Target, wanted: Wanted) -> Facts:
    """Everything that is to be known; a node that does not answer in time is named.

    Raises:
        UsageError: a stack is unknown.
        SwarmctlError: no manager answers, or what answers is a proxy that passes on little.
    """
    try:
        with target.connect() as client:
            api: Any = client.docker.api  # a part of it has no types
            raw = take_snapshot(client)
            cluster: Mapping[str, Any] = client.ask(client.docker.api.inspect_swarm)
            autolock = _autolock(cluster)
            configs = client.ask(lambda: api.configs({"name": CONFIG}))
            stored = _stored(client, wanted, target.cluster) if autolock else None
    except docker.errors.APIError as fault:
        raise SwarmctlError(
            f"the Engine refuses to say what an audit has to know (HTTP {fault.status_code})",
            "swarmctl audit on your own machine asks the managers themselves",
        ) from fault
    swarm = parse_swarm(raw)
    services = chosen(swarm, wanted.stacks)
    told, images = _nodes(target, live_hosts(swarm))
    return Facts(
        swarm=known_images(swarm, images),
        services=services,
        now=parse_time(swarm.taken_at),
        nodes=told,
        silent=images.silent,
        asked=bool(target.instances),
        autolock=autolock,
        unlock_key_stored=stored,
        rotation=cluster.get("RootRotationInProgress"),
        issuer=_issuer(cluster),
        issuers={node["ID"]: _issuer(node.get("Description") or {}) for node in raw["nodes"]},
        token_life=_token_life(services),
        backup=last_of(configs),
        network=check_network(target, swarm) if wanted.network else None,
    )


def _nodes(target: Target, hosts: Mapping[str, str]) -> tuple[Mapping[str, NodeFacts], NodeImages]:
    shell = target.shell()
    if shell is None:
        why = "--host names one manager only"
        return {}, NodeImages(silent=dict.fromkeys(hosts.values(), why))
    with closing(shell):
        return ask_nodes(shell, hosts)


def _autolock(cluster: Mapping[str, Any]) -> bool | None:
    encryption = (cluster.get("Spec") or {}).get("EncryptionConfig")
    return None if encryption is None else bool(encryption.get("AutoLockManagers"))


def _stored(client: SwarmClient, wanted: Wanted, cluster: str) -> bool | None:
    """Whether a key that the user gave, or that is stored for the cluster, is the Swarm's."""
    if wanted.unlock_key_stored and not wanted.unlock_key:
        return True
    given = (wanted.unlock_key,) if wanted.unlock_key else _kept(cluster)
    if not given:
        return None
    key = str(client.ask(client.docker.api.get_unlock_key)["UnlockKey"]).encode()
    return any(hmac.compare_digest(key, one.encode()) for one in given)


def _kept(cluster: str) -> tuple[str, ...]:
    """The stored keys; none where the store cannot be asked: then it is not known."""
    if cluster:
        with suppress(SwarmctlError):
            return store_of(cluster).read()
    return ()


def _issuer(entry: Mapping[str, Any]) -> str:
    return str((entry.get("TLSInfo") or {}).get("CertIssuerPublicKey") or "")


def _token_life(services: Iterable[Service]) -> dict[str, timedelta | None]:
    """How long new credentials last, for the registries for which this machine has some."""
    keyring, found = Keyring(), dict[str, timedelta | None]()
    for host in {service.labels[HOST] for service in services if service.labels.get(HOST)}:
        try:
            credentials = keyring.find(host)
        except SwarmctlError:  # then they are taken for ECR's
            continue
        if credentials:
            ends = credentials.expires_at
            found[host] = ends - datetime.now(UTC) if ends else None
    return found
