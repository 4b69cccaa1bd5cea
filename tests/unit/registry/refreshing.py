"""A refresh on a fake Engine, with credentials for one registry."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from swarmctl.errors import SwarmctlError
from swarmctl.registry import renewed
from swarmctl.registry.credentials import Credentials, Keyring
from swarmctl.registry.refresh import Item, refresh
from swarmctl.swarm.engine import Json
from tests.unit.engine_fake import NOW, FakeEngine, service_spec

HOST = "registry.example:5000"
IMAGE = f"{HOST}/team/web:1"
AT = datetime.fromisoformat(NOW)


class FakeKeyring(Keyring):
    """Knows one registry, whose credentials are good for so many hours; 0: for ever."""

    def __init__(self, fault: SwarmctlError | None = None, life: float = 12) -> None:
        super().__init__()
        self.fault, self.life = fault, life

    def find(self, host: str, *, docker: bool = True) -> Credentials | None:
        del docker
        if self.fault:
            raise self.fault
        if host != HOST:
            return None
        end = AT + timedelta(hours=self.life) if self.life else None
        return Credentials(HOST, "AWS", "s3cret", expires_at=end)


class Tasks(FakeEngine):
    """Has tasks, too."""

    tasks: list[Json]

    def get(self, path: str, **filters: list[str]) -> Any:
        if path == "/tasks":
            return [task for task in self.tasks if task["ServiceID"] in filters["service"]]
        return super().get(path, **filters)


def add(engine: FakeEngine, name: str = "web", image: str = IMAGE, **more: Any) -> Json:
    """A service that exists; its JSON may be changed."""
    labels = more.pop("labels", {})
    spec = service_spec(name, image=image, **more)
    spec["Labels"] |= labels
    return engine.store["services"][engine.add("services", spec)]


def labels(hours_ago: float, host: str = HOST) -> dict[str, str]:
    at = AT - timedelta(hours=hours_ago)
    return {renewed.RENEWED: at.isoformat(), renewed.HOST: host}


def run(engine: FakeEngine, *names: str, **options: Any) -> dict[str, Item]:
    keyring = FakeKeyring(options.pop("fault", None), options.pop("life", 12))
    found = refresh(engine, names, keyring=lambda: keyring, **options)
    return {item.service: item for item in found}
