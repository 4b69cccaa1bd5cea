"""Which nodes' kernels have ``ip_vs``: the routing mesh and services' virtual addresses need it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field

from swarmctl.errors import SwarmctlError
from swarmctl.swarm.shell import Shells
from swarmctl.swarm.ssh import Endpoint

_HAS_IP_VS = "test -e /proc/net/ip_vs || modprobe --dry-run --quiet ip_vs && echo yes || echo no"
_TIMEOUT_S = 15.0
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Kernels:
    """The nodes without ``ip_vs``, and those that did not answer."""

    without_ip_vs: tuple[str, ...] = ()
    silent: Mapping[str, str] = field(default_factory=dict)  # node → why


def ask_kernels(nodes: Mapping[str, Endpoint]) -> Kernels:
    """Ask every node over SSH.

    Args:
        nodes: how they are reached, by hostname.
    """
    with closing(Shells(lambda: nodes)) as shells, ThreadPoolExecutor(_AT_ONCE) as pool:

        def ask(node: str) -> str:
            try:
                return shells.run(node, _HAS_IP_VS, _TIMEOUT_S).strip()
            except SwarmctlError as fault:
                return fault.message

        answers = dict(zip(nodes, pool.map(ask, nodes), strict=True))
    return Kernels(
        tuple(sorted(node for node, answer in answers.items() if answer == "no")),
        {node: answer for node, answer in answers.items() if answer not in ("yes", "no")},
    )
