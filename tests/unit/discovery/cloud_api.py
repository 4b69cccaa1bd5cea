"""Cloud Map's API as moto has it, with calls that are counted and that fail on demand."""

from __future__ import annotations

from collections import Counter
from typing import Any

import boto3

from swarmctl.cloud.cloud_map import CloudMap
from swarmctl.cloud.instances import CloudError
from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.edition import Edition, follow
from swarmctl.discovery.listeners.cloud_map import CloudMapListener
from swarmctl.swarm.model import Swarm
from tests.unit.discovery.shop import port, shop
from tests.unit.engine_json import task

WRITES = ("RegisterInstance", "DeregisterInstance", "CreateService", "DeleteService")


class Api:
    """moto's API with the calls counted, and calls that fail on demand."""

    def __init__(self) -> None:
        self.client: Any = boto3.client(
            "servicediscovery",
            region_name="eu-central-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )
        self.calls: Counter[str] = Counter()
        self.poisoned = ""
        self.client.meta.events.register("before-parameter-build", self._called)
        self.client.create_http_namespace(Name="shop.internal")
        self.cloud = CloudMap("shop.internal", self.client, lambda _: None)
        self.listener = CloudMapListener(self.cloud, "swarm_app")

    def _called(self, params: Any, model: Any, **_: Any) -> None:
        self.calls[model.name] += 1
        if self.poisoned and self.poisoned in str(params) and model.name == "CreateService":
            raise CloudError("it is poisoned")

    def writes(self, edition: Edition) -> dict[str, int]:
        """The writing calls that publishing an edition made."""
        self.calls.clear()
        self.listener.publish(edition)
        return {name: self.calls[name] for name in WRITES if self.calls[name]}

    def instances(self, name: str) -> dict[str, dict[str, str]]:
        """The instances of a service, read anew."""
        (service,) = [s for s in self.cloud.services() if s.name == name]
        return {i.id: dict(i.attributes) for i in self.cloud.instances(service)}


def edition(swarm: Swarm) -> Edition:
    return follow(None, catalogue(swarm), (), 1)


BOTH = edition(shop())
REPLACED = edition(
    shop(
        tasks=[
            task("shop_web", "wkr_1", 1, id="task1", ports=[port(80, 32768)]),
            task("shop_web", "wkr_2", 2, id="task3", ports=[port(80, 32769)]),
        ]
    )
)
NONE = edition(shop(tasks=[]))
