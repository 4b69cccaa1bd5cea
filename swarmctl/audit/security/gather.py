"""Gathers what the checks of security need: from the managers, every node and EC2."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import closing
from datetime import datetime
from typing import Any

from cryptography import x509

from swarmctl.audit.security.ask_nodes import ask_nodes
from swarmctl.audit.security.facts import NodeSecurity, SecurityFacts
from swarmctl.cluster import Target
from swarmctl.reading.times import parse_time
from swarmctl.swarm.observe.images import live_hosts
from swarmctl.swarm.parse import parse_swarm
from swarmctl.swarm.snapshot import take_snapshot

# The services of this project that have the Engine's socket: docs/security.md.
OURS = ("discovery_agent", "web_proxy")


def gather(target: Target, trusted: Collection[str]) -> SecurityFacts:
    """Everything that is to be known; a node that does not answer in time is named.

    Raises:
        SwarmctlError: no manager answers, or EC2 does not.
    """
    with target.connect() as client:
        raw = take_snapshot(client)
        cluster: Mapping[str, Any] = client.ask(client.docker.api.inspect_swarm)
    swarm = parse_swarm(raw)
    told, silent = _nodes(target, live_hosts(swarm))
    spec = cluster.get("Spec") or {}
    encryption = spec.get("EncryptionConfig")
    expiry = (spec.get("CAConfig") or {}).get("NodeCertExpiry")
    return SecurityFacts(
        services=swarm.services,
        now=parse_time(swarm.taken_at),
        capabilities={s["Spec"]["Name"]: _added(s["Spec"]) for s in raw["services"]},
        nodes=told,
        silent=silent,
        autolock=None if encryption is None else bool(encryption.get("AutoLockManagers")),
        ca_ends=_ends((cluster.get("TLSInfo") or {}).get("TrustRoot") or ""),
        node_life=expiry / 1e9 if expiry else None,
        machines=target.cloud.protection(target.instances) if target.cloud else None,
        rules=target.rules(),
        key_files=_modes_of_keys(target),
        trusted=frozenset({*trusted, *OURS}),
    )


def _nodes(
    target: Target, hosts: Mapping[str, str]
) -> tuple[dict[str, NodeSecurity], dict[str, str]]:
    shell = target.shell()
    if shell is None:
        return {}, dict.fromkeys(hosts.values(), "--host names one manager only")
    with closing(shell):
        return ask_nodes(shell, hosts)


def _added(spec: Mapping[str, Any]) -> tuple[str, ...]:
    container = spec.get("TaskTemplate", {}).get("ContainerSpec") or {}
    return tuple(container.get("CapabilityAdd") or ())


def _ends(pem: str) -> datetime | None:
    try:
        return min(c.not_valid_after_utc for c in x509.load_pem_x509_certificates(pem.encode()))
    except ValueError:
        return None


def _modes_of_keys(target: Target) -> dict[str, str]:
    paths = {node.key_file for node in target.nodes().values() if node.key_file}
    return {str(p): f"{p.stat().st_mode & 0o777:o}" for p in sorted(paths) if p.exists()}
