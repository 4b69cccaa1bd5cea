"""What the checks are made from, gathered beforehand: plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from swarmctl.backup.last import Last
from swarmctl.network.finding import Finding
from swarmctl.swarm.model import Service, Swarm


@dataclass(frozen=True, slots=True)
class Space:
    """Room on a node's disk: bytes, or inodes."""

    free: int
    total: int


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a node told about itself.

    Attributes:
        certificate: when its certificate for the Swarm began and ends; ``None``: it has none.
        disk: bytes under Docker's directory.
        inodes: there; ``None`` if the file system does not count them.
    """

    certificate: tuple[datetime, datetime] | None = None
    disk: Space | None = None
    inodes: Space | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that is known of a Swarm.

    Attributes:
        swarm: with the networks, and with the images of the nodes that answered.
        services: those to audit.
        now: the managers' time.
        nodes: by hostname, what live nodes told; those that did not answer are in ``silent``.
        silent: by hostname, why a live node did not answer.
        asked: whether the nodes could be asked at all: not with ``--host``.
        autolock: whether managers stay locked after a restart.
        unlock_key_stored: whether the user has the key; ``None``: not told.
        rotation: whether a rotation of the root certificate is under way.
        issuer: the public key that node certificates are to be issued with.
        issuers: the one that a node's certificate was issued with, by node id.
        token_life: how long pull credentials last, by registry; ``None``: they do not end.
        backup: the last backup of the Swarm's state; ``None``: none is recorded.
        network: what the check of the network found; ``None``: it was not asked for.
    """

    swarm: Swarm
    services: tuple[Service, ...]
    now: datetime
    nodes: Mapping[str, NodeFacts] = field(default_factory=dict)
    silent: Mapping[str, str] = field(default_factory=dict)
    asked: bool = True
    autolock: bool | None = None
    unlock_key_stored: bool | None = None
    rotation: bool | None = None
    issuer: str = ""
    issuers: Mapping[str, str] = field(default_factory=dict)
    token_life: Mapping[str, timedelta | None] = field(default_factory=dict)
    backup: Last | None = None
    network: tuple[Finding, ...] | None = None
