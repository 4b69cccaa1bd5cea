"""A deploy notes when it sent credentials, and the note is never a difference."""

from __future__ import annotations

import pytest

from swarmctl.errors import SwarmctlError
from swarmctl.registry import renewed
from swarmctl.stack.deploy.apply import apply
from swarmctl.stack.deploy.current import read_current
from swarmctl.stack.deploy.desired import DesiredStack
from swarmctl.stack.deploy.plan import plan_changes
from swarmctl.swarm.engine import Json
from tests.unit.engine_fake import FakeEngine, service_spec

IMAGE = "registry.example/web:1"


def deploy(engine: FakeEngine, replicas: int = 2, auth: str = "login") -> dict[str, str]:
    """Deploy one service; returns its labels."""
    spec: Json = service_spec("web", image=IMAGE, replicas=replicas)
    current = read_current(engine, "shop")
    plan = plan_changes(DesiredStack("shop", services={"shop_web": spec}), current)
    apply(plan, current, engine, lambda _: auth)
    labels: dict[str, str] = engine.named("services", "shop_web")["Spec"]["Labels"]
    return labels


def test_a_deploy_that_sends_credentials_notes_when_and_for_which_registry() -> None:
    found = deploy(FakeEngine())
    assert found[renewed.HOST] == "registry.example"
    assert found[renewed.RENEWED] == "2026-01-31T12:00:00Z"


def test_a_deploy_without_credentials_notes_nothing() -> None:
    assert not set(renewed.LABELS) & set(deploy(FakeEngine(), auth=""))


def test_a_later_deploy_without_credentials_keeps_them_and_the_note() -> None:
    engine = FakeEngine()
    first = deploy(engine)[renewed.RENEWED]
    engine.time = "2026-01-31T13:00:00Z"
    assert deploy(engine, replicas=3, auth="")[renewed.RENEWED] == first
    assert deploy(engine, replicas=4)[renewed.RENEWED] == "2026-01-31T13:00:00Z"


def test_the_note_alone_is_no_change() -> None:
    engine = FakeEngine()
    deploy(engine)
    engine.sent.clear()
    deploy(engine)
    assert engine.sent == []


def test_a_registry_that_gives_no_login_stops_a_deploy_before_anything_is_changed() -> None:
    engine = FakeEngine()
    names = {"shop_api": "httpd:2.4", "shop_web": IMAGE}
    services = {
        name: service_spec(name.removeprefix("shop_"), image=image) for name, image in names.items()
    }
    current = read_current(engine, "shop")
    plan = plan_changes(DesiredStack("shop", services=services), current)

    def credentials(image: str) -> str:
        if image == IMAGE:
            raise SwarmctlError("no token")
        return ""

    with pytest.raises(SwarmctlError, match="no token"):
        apply(plan, current, engine, credentials)
    assert engine.sent == []
