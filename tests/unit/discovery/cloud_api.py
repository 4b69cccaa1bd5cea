"""Cloud Map's API as moto has it, with calls that are counted and that fail on demand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import boto3

from swarmctl.cloud.cloud_map import CloudMap, CloudService
from swarmctl.cloud.words import CloudError
from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.edition import Edition, follow
from swarmctl.discovery.listeners.cloud_map.listener import CloudMapListener
from swarmctl.swarm.model import Swarm
from tests.unit.discovery.shop import port, shop
from tests.unit.engine_json import task

WRITES = ("RegisterInstance", "DeregisterInstance", "CreateService", "DeleteService")


class Killed(BaseException):
    """The process is gone: nothing after this moment is done."""


class Stuck(CloudMap):
    """Some of its operations do not end.

    Args:
        api: says which.
    """

    def __init__(self, api: Api) -> None:
        super().__init__("shop.internal", api.client)
        self._by_test = api
        self.begun: dict[str, str] = {}  # the instances' ids by operation

    def register(self, service: CloudService, id_: str, attributes: Mapping[str, str]) -> str:
        operation = super().register(service, id_, attributes)
        self.begun[operation] = id_
        return operation

    def deregister(self, service: CloudService, id_: str) -> str:
        operation = super().deregister(service, id_)
        self.begun[operation] = id_
        return operation

    def ended(self, operation: str) -> bool:
        return self.begun[operation] not in self._by_test.stuck and super().ended(operation)


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
        self.now = 0.0
        self.fault: BaseException | None = None  # of every call
        self.stuck: set[str] = set()  # operations that do not end
        self.killed_at: tuple[str, int] = ("", 0)  # before or after so many calls
        self.client.meta.events.register("before-parameter-build", self._called)
        self.client.meta.events.register("after-call", lambda **_: self._kill("after"))
        self.client.create_http_namespace(Name="shop.internal")
        self.cloud = Stuck(self)
        self.listener = self.new_listener()

    def new_listener(self) -> CloudMapListener:
        """One that knows nothing yet, on the simulated clock."""
        return CloudMapListener(
            self.cloud, "swarm_app", clock=lambda: self.now, pause=self.pass_time
        )

    def pass_time(self, seconds: float) -> None:
        """Let simulated time pass."""
        self.now += seconds

    def _called(self, params: Any, model: Any, **_: Any) -> None:
        self.calls[model.name] += 1
        if self.fault is not None:
            raise self.fault
        self._kill("before")
        if self.poisoned and self.poisoned in str(params) and model.name == "CreateService":
            raise CloudError("it is poisoned")

    def _kill(self, moment: str) -> None:
        if self.killed_at == (moment, self.calls.total()):
            raise Killed

    def writes(self, edition: Edition) -> dict[str, int]:
        """The writing calls that publishing an edition made."""
        self.calls.clear()
        self.listener.publish(edition)
        return {name: self.calls[name] for name in WRITES if self.calls[name]}

    def instances(self, name: str) -> dict[str, dict[str, str]]:
        """The instances of a service, read anew."""
        (service,) = [s for s in self.cloud.services() if s.name == name]
        return {i.id: dict(i.attributes) for i in self.cloud.instances(service)}

    def all_instances(self) -> dict[str, list[str]]:
        """The ids in each service, however often."""
        return {
            service.name: sorted(instance.id for instance in self.cloud.instances(service))
            for service in self.cloud.services()
        }


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
