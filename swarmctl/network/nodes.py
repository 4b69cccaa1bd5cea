"""What a deploy must know about a cluster's nodes; they and EC2 are asked only if it matters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from swarmctl.cluster import Target
from swarmctl.errors import RefusedError, SwarmctlError
from swarmctl.network.access import AccessTo, access_by, no_rules
from swarmctl.network.kernels import Kernels, ask_kernels


@dataclass(slots=True)
class ClusterNodes:
    """The nodes of a cluster.

    Args:
        target: the cluster.
        note: called with a warning when something cannot be asked.
    """

    target: Target
    note: Callable[[str], None]
    _kernels: Kernels | None = None

    def kernels(self) -> Kernels:
        """What every node's kernel has."""
        if self._kernels is None:
            self._kernels = ask_kernels(self.target.nodes())
            for why in self._kernels.silent.values():
                self.note(f"warning: a node could not be asked for ip_vs: {why}")
        return self._kernels

    def access(self) -> AccessTo:
        """Who may reach a published port, by the security groups."""
        try:
            rules = self.target.rules()
        except SwarmctlError as fault:
            self.note(f"warning: the security groups could not be read: {fault.message}")
            return no_rules
        return access_by(rules) if rules else no_rules

    def require_mesh(self, ports: Mapping[str, Collection[int]]) -> None:
        """Require ``ip_vs`` on every node if a service publishes ports through the routing mesh.

        Args:
            ports: these ports by service.

        Raises:
            RefusedError: a kernel has no ``ip_vs``: the ports would refuse every connection.
        """
        found = [f"{name} publishes {port}" for name, numbers in ports.items() for port in numbers]
        if not found or not self.kernels().without_ip_vs:
            return
        raise RefusedError(
            f"{', '.join(found)} through the routing mesh, which needs ip_vs in every node's "
            f"kernel; there is none on {', '.join(self.kernels().without_ip_vs)}: nothing would "
            "answer",
            "publish on the nodes' own ports: --set publish=host, or `mode: host` in a compose "
            "file; or load the module on these nodes: modprobe ip_vs",
        )
