"""A service goes back to its former version, also after a refresh."""

from __future__ import annotations

import json

import pytest

from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.registry import former, renewed
from swarmctl.stack.deploy.current import read_current
from swarmctl.stack.deploy.remove import leftovers
from swarmctl.stack.go_back import Return, plan, send_back
from swarmctl.swarm.engine import Json
from tests.unit.engine_fake import FakeEngine, object_spec, service_spec


def update(engine: FakeEngine, service: Json, image: str = "") -> None:
    """Change a service's image; without one, only its labels, as a refresh does."""
    config = former.to_keep(service)
    if config and not image:
        former.keep(engine, config)
    spec = json.loads(json.dumps(service["Spec"]))
    if image:
        spec["TaskTemplate"]["ContainerSpec"]["Image"] = image
    else:
        spec["Labels"][renewed.RENEWED] = f"2026-01-31T12:00:0{service['Version']['Index']}Z"
    version = {"version": str(service["Version"]["Index"])}
    engine.send("POST", f"/services/{service['ID']}/update", spec, params=version)


def shop() -> tuple[FakeEngine, Json]:
    """A stack whose service was changed once, and refreshed twice."""
    engine = FakeEngine()
    service = engine.store["services"][engine.add("services", service_spec("web", image="web:1"))]
    update(engine, service, "web:2")
    update(engine, service)
    update(engine, service)
    return engine, service


def planned(engine: FakeEngine, *names: str) -> list[Return]:
    return plan(read_current(engine, "shop"), names)


def image(service: Json) -> str:
    return renewed.image_of(service["Spec"])


def test_a_refreshed_service_goes_back_and_forth() -> None:
    engine, service = shop()
    for expected in ("web:1", "web:2"):
        (one,) = planned(engine, "web")
        send_back(engine, one, lambda _: "", print)
        assert image(service) == expected


def test_the_plan_names_what_changes() -> None:
    engine, _ = shop()
    (one,) = planned(engine)
    assert one.lines() == ["~ service shop_web", "    Image: web:2 → web:1"]


def test_it_sends_new_credentials_and_notes_when() -> None:
    engine, service = shop()
    (one,) = planned(engine)
    send_back(engine, one, lambda image: f"login for {image}", print)
    assert "login for web:1" in engine.auths
    assert service["Spec"]["Labels"][renewed.RENEWED] == "2026-01-31T12:00:00Z"


def test_without_a_token_it_goes_back_with_the_credentials_that_swarm_has() -> None:
    engine, service = shop()
    current = service["Spec"]["Labels"][renewed.RENEWED]
    notes: list[str] = []

    def no_token(_: str) -> str:
        raise SwarmctlError("no token")

    (one,) = planned(engine)
    send_back(engine, one, no_token, notes.append)
    assert image(service) == "web:1"
    assert service["Spec"]["Labels"][renewed.RENEWED] == current
    assert "no token" in notes[0]


def test_a_service_without_a_former_version_stays() -> None:
    engine = FakeEngine()
    engine.add("services", service_spec("web"))
    assert planned(engine) == []
    with pytest.raises(SwarmctlError, match="no former version of shop_web"):
        planned(engine, "web")
    with pytest.raises(UsageError, match="db"):
        planned(engine, "db")


def test_prune_keeps_what_the_former_version_needs() -> None:
    engine = FakeEngine()
    config = engine.add("configs", object_spec("page-1"))
    mounts = {"Configs": [{"ConfigID": config, "ConfigName": "page-1"}]}
    service = engine.store["services"][
        engine.add("services", service_spec("web", image="web:1", container=mounts))
    ]
    spec = json.loads(json.dumps(service["Spec"]))
    spec["TaskTemplate"]["ContainerSpec"] = {"Image": "web:2"}
    engine.send("POST", f"/services/{service['ID']}/update", spec, params={"version": "1"})
    update(engine, service)
    current = read_current(engine, "shop")
    assert leftovers(engine, current)["configs"] == {}
    found = leftovers(engine, current, keep_previous=False)["configs"]
    assert "page-1" in found
    assert len(found) == 2  # and the copy of the former version
