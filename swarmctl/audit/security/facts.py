"""What the checks of security are made from, gathered beforehand: plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from swarmctl.cloud.instances import Protection
from swarmctl.cloud.rules import Rule
from swarmctl.swarm.model import Service


@dataclass(frozen=True, slots=True)
class NodeSecurity:
    """What a node told; what is empty it could not tell, unless it says otherwise.

    Attributes:
        socket: of the Engine: mode, user and group, such as ``660 root:docker``.
        tcp: where the Engine API is open on TCP; empty: nowhere.
        daemon_file: mode, user and group of daemon.json; ``""``: there is none.
        daemon: its content; ``None``: it cannot be read.
        keys: mode and user of the Swarm's certificates' directory and of the node's key.
        ssh: ``sshd``'s effective settings, in lower case.
        secrets: processes (pid and program) with a token or key of the Swarm in their arguments;
            empty: none.
    """

    socket: str = ""
    tcp: tuple[str, ...] = ()
    daemon_file: str = ""
    daemon: Mapping[str, Any] | None = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    ssh: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SecurityFacts:
    """Everything that is known.

    Attributes:
        services: the Swarm's.
        capabilities: what services add to their containers', by name.
        now: the managers' time.
        nodes: by hostname, what live nodes told; those that did not answer are in ``silent``.
        silent: by hostname, why a live node did not answer.
        autolock: whether managers stay locked after a restart; ``None``: not told.
        ca_ends: when the Swarm's root certificate ends; ``None``: not told.
        node_life: how long the nodes' certificates last, seconds; ``None``: not told.
        machines: by name, what EC2 knows of the instances; ``None``: it could not be asked.
        rules: by name, the security group rules of the instances.
        key_files: modes of the files on this machine with the nodes' SSH keys, by path.
        trusted: names of services that may have the Engine's socket.
    """

    services: tuple[Service, ...]
    now: datetime
    capabilities: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    nodes: Mapping[str, NodeSecurity] = field(default_factory=dict)
    silent: Mapping[str, str] = field(default_factory=dict)
    autolock: bool | None = None
    ca_ends: datetime | None = None
    node_life: float | None = None
    machines: Mapping[str, Protection] | None = None
    rules: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    key_files: Mapping[str, str] = field(default_factory=dict)
    trusted: frozenset[str] = frozenset()
