"""The listeners that publish in AWS, put together from a command's options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from swarmctl.discovery.listeners.listener import Publisher

if TYPE_CHECKING:
    from swarmctl.discovery.listeners.load_balancer.listener import LoadBalancerListener


@dataclass(frozen=True, slots=True)
class Aws:
    """Where to publish.

    Attributes:
        cloud_map: a namespace of Cloud Map; ``""`` for none.
        cluster: whose load balancer, if it has one; ``""`` for none.
    """

    cloud_map: str = ""
    cluster: str = ""

    def __bool__(self) -> bool:
        """Whether to publish at all."""
        return bool(self.cloud_map or self.cluster)

    def publishers(
        self, owner: Callable[[], str], note: Callable[[str], None], patience_s: float = 2.0
    ) -> list[Publisher]:
        """The listeners.

        Args:
            owner: the Swarm's id.
            note: called with each change, before it is made.
            patience_s: how long the end of changes in Cloud Map is waited for each time.

        Raises:
            SwarmctlError: there is no region, or no such namespace.
        """
        found: list[Publisher] = []
        if self.cloud_map:
            from swarmctl.cloud.cloud_map import CloudMap
            from swarmctl.discovery.listeners.cloud_map.listener import CloudMapListener

            namespace = CloudMap(self.cloud_map)
            found.append(
                CloudMapListener(
                    namespace, owner(), lambda text: note(f"cloud-map: {text}"), patience_s
                )
            )
        if self.cluster:
            found.append(load_balancer(self.cluster, lambda text: note(f"load-balancer: {text}")))
        return found


def load_balancer(
    cluster: str, note: Callable[[str], None] = lambda _: None
) -> LoadBalancerListener:
    """The listener for a cluster's load balancer."""
    from swarmctl.cloud.instances import Cloud
    from swarmctl.cloud.load_balancer import ElbApi
    from swarmctl.discovery.listeners.load_balancer.instance_ids import InstanceIds
    from swarmctl.discovery.listeners.load_balancer.listener import LoadBalancerListener

    ec2 = Cloud()
    return LoadBalancerListener(
        ElbApi(), cluster, InstanceIds(lambda: ec2.instances(cluster)), note
    )
