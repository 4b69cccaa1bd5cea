"""What a deploy would change, and what it leaves alone."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.stack.deploy import images
from swarmctl.stack.deploy.apply import apply, port_holders_to_remove, update_service
from swarmctl.stack.deploy.current import read_current
from swarmctl.stack.deploy.desired import DesiredStack, from_recording, named_variables
from swarmctl.stack.deploy.images import no_credentials
from swarmctl.stack.deploy.plan import DeployPlan, plan_changes
from swarmctl.stack.render.output import Rendered
from tests.unit.engine_fake import FakeEngine, object_spec, service_spec

PORT: dict[str, Any] = {"EndpointSpec": {"Ports": [{"TargetPort": 80, "PublishedPort": 80}]}}


def engine(*services: str) -> FakeEngine:
    fake = FakeEngine()
    for name in services:
        fake.add("services", service_spec(name))
    return fake


def planned(fake: FakeEngine, wanted: DesiredStack, prune: bool = True) -> DeployPlan:
    return plan_changes(wanted, read_current(fake, "shop"), prune=prune)


def services(*specs: dict[str, object]) -> DesiredStack:
    return DesiredStack("shop", services={str(spec["Name"]): spec for spec in specs})


def test_a_service_that_needs_no_change_is_not_touched() -> None:
    fake = engine("web")
    todo = planned(fake, services(service_spec("web")))
    assert todo.empty
    fake.sent.clear()
    apply(todo, read_current(fake, "shop"), fake, no_credentials)
    assert fake.sent == []


def test_a_service_in_the_hosts_network_needs_no_change_either() -> None:
    """Swarm turns ``host`` into an id that no listing of networks has."""

    class WithHost(FakeEngine):
        def get(self, path: str, **filters: list[str]) -> Any:
            if path == "/networks/6bmehuqtdut5":
                return {"Id": "6bmehuqtdut5", "Name": "host", "Scope": "swarm"}
            return super().get(path, **filters)

    fake = WithHost()
    fake.add("services", service_spec("web", networks=[{"Target": "6bmehuqtdut5"}]))
    assert planned(fake, services(service_spec("web", networks=[{"Target": "host"}]))).empty


def test_new_changed_and_removed_services_are_distinguished() -> None:
    todo = planned(
        engine("web", "old"), services(service_spec("web", replicas=3), service_spec("api"))
    )
    assert todo.lines() == [
        "~ service shop_web",
        "    Mode.Replicas: 2 → 3",
        "+ service shop_api",
        "- service shop_old",
    ]


def test_without_prune_what_is_not_in_the_file_stays() -> None:
    assert planned(engine("web", "old"), services(service_spec("web")), prune=False).empty


def test_a_config_with_other_content_under_the_same_name_is_refused() -> None:
    fake = FakeEngine()
    fake.add("configs", object_spec("conf"))
    with pytest.raises(UsageError, match="conf exists with other content") as caught:
        planned(fake, DesiredStack("shop", configs={"conf": object_spec("conf", data="eQ==")}))
    assert "hashed" in caught.value.hint


def test_a_secret_that_exists_is_checked_unless_its_name_has_its_hash() -> None:
    fake = FakeEngine()
    name = f"pw-{hashlib.sha256(b'x').hexdigest()[:12]}"
    data = base64.b64encode(b"x").decode()
    for secret in ("pw", name):
        fake.add("secrets", object_spec(secret, data=data))
    wanted = {secret: object_spec(secret, data=data) for secret in ("pw", name)}
    todo = planned(fake, DesiredStack("shop", secrets=wanted))
    assert [(c.action, c.name) for c in todo.changes] == [("check", "pw")]
    assert todo.empty
    assert todo.lines() == []


def test_the_error_for_a_secret_with_other_content_shows_a_name_with_a_hash() -> None:
    fake = FakeEngine(
        refuse={"POST /secrets/secrets-1/update": "only updates to Labels are allowed"}
    )
    fake.add("secrets", object_spec("pw"))
    current = read_current(fake, "shop")
    todo = plan_changes(DesiredStack("shop", secrets={"pw": object_spec("pw")}), current)
    with pytest.raises(SwarmctlError, match="pw exists with other content"):
        apply(todo, current, fake, no_credentials)


def test_services_are_sent_with_the_ids_of_new_configs() -> None:
    fake = FakeEngine()
    reference = {"File": {"Name": "/c"}, "ConfigID": "new-conf", "ConfigName": "conf"}
    spec = service_spec("web", container={"Configs": [reference]})
    wanted = DesiredStack(
        "shop", configs={"conf": object_spec("conf")}, services={"shop_web": spec}
    )
    current = read_current(fake, "shop")
    apply(plan_changes(wanted, current), current, fake, lambda image: f"auth for {image}")
    made = fake.named("services", "shop_web")["Spec"]["TaskTemplate"]["ContainerSpec"]
    assert made["Configs"][0]["ConfigID"] == fake.named("configs", "conf")["ID"]
    assert fake.auths[-1] == "auth for httpd:2.4"
    assert planned(fake, wanted).empty


def test_an_old_service_is_removed_first_if_a_new_one_needs_its_port() -> None:
    fake = FakeEngine()
    fake.add("services", service_spec("old", **PORT))
    fake.add("services", service_spec("other"))
    todo = planned(fake, services(service_spec("new", **PORT)))
    assert port_holders_to_remove(todo, read_current(fake, "shop")) == ["shop_old"]


def test_an_update_is_sent_again_if_swarm_itself_raised_the_version() -> None:
    fake = engine("web")
    there = {**fake.named("services", "shop_web")}
    fake.named("services", "shop_web")["Version"] = {"Index": 7}
    update_service(fake, there, service_spec("web", replicas=5))
    assert fake.named("services", "shop_web")["Spec"]["Mode"]["Replicated"]["Replicas"] == 5


def test_an_update_is_refused_if_another_client_changed_the_service() -> None:
    fake = engine("web")
    there = {**fake.named("services", "shop_web")}
    update_service(fake, there, service_spec("web", replicas=9))
    with pytest.raises(SwarmctlError, match=r"shop_web was refused: .*out of sequence"):
        update_service(fake, there, service_spec("web", replicas=5))


# --- images ---------------------------------------------------------------------------------------

DIGEST = {"Descriptor": {"digest": "sha256:" + "ab" * 32}, "Platforms": [{"architecture": "arm"}]}


def resolved(
    fake: FakeEngine, wanted: DesiredStack, mode: str = images.CHANGED
) -> tuple[str, list[str]]:
    notes: list[str] = []
    exact = images.resolve_images(
        wanted, read_current(fake, "shop"), fake, mode=mode, note=notes.append
    )
    container = exact.services["shop_web"]["TaskTemplate"]["ContainerSpec"]
    return container["Image"], notes


def test_a_new_image_gets_its_digest() -> None:
    fake = FakeEngine(digests={"httpd": DIGEST})
    image, notes = resolved(fake, services(service_spec("web", image="httpd")))
    assert image == f"httpd:latest@{DIGEST['Descriptor']['digest']}"  # type: ignore[index]
    assert notes == []


def test_an_image_of_the_same_name_keeps_its_digest() -> None:
    fake = FakeEngine()
    there = service_spec("web")
    there["TaskTemplate"]["ContainerSpec"]["Image"] = "httpd:2.4@sha256:old"
    fake.add("services", there)
    assert resolved(fake, services(service_spec("web"))) == ("httpd:2.4@sha256:old", [])
    assert not [line for line in fake.sent if "distribution" in line]


def test_an_image_set_by_hand_is_not_kept() -> None:
    fake = FakeEngine(digests={"httpd:2.4": DIGEST})
    there = service_spec("web")
    there["TaskTemplate"]["ContainerSpec"]["Image"] = "httpd:2.6@sha256:byhand"
    fake.add("services", there)
    assert resolved(fake, services(service_spec("web")))[0].startswith("httpd:2.4@sha256:abab")


def test_a_registry_without_an_answer_is_a_note_and_not_an_error() -> None:
    image, notes = resolved(FakeEngine(), services(service_spec("web", image="httpd:nosuch")))
    assert image == "httpd:nosuch"
    assert notes == ["httpd:nosuch: deployed by name, no digest: manifest unknown"]


def test_never_asks_no_registry() -> None:
    fake = FakeEngine(digests={"httpd:2.4": DIGEST})
    assert resolved(fake, services(service_spec("web")), images.NEVER) == ("httpd:2.4", [])


def test_credentials_come_from_the_docker_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images._keyring.cache_clear()
    entry = base64.b64encode(b"me:secret").decode()
    config = {"auths": {"registry.example:5000": {"auth": entry}}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    header = images.local_credentials()
    sent = json.loads(base64.urlsafe_b64decode(header("registry.example:5000/team/app:1")))
    assert (sent["username"], sent["password"]) == ("me", "secret")
    assert sent["serveraddress"] == "registry.example:5000"
    assert header("httpd:2.4") == ""
    # Without --with-registry-auth: for the registry of the stack's own images only.
    assert images.local_credentials("registry.example:5000")("registry.example:5000/app:1")
    assert images.local_credentials("")("registry.example:5000/app:1") == ""
    images._keyring.cache_clear()


# --- what the docker CLI says ---------------------------------------------------------------------


def answer(code: int = 0, said: str = "", *paths: str) -> dict[str, object]:
    requests = [{"method": "POST", "path": path, "body": {"Name": path[-3:]}} for path in paths]
    return {"code": code, "stderr": said, "requests": requests}


def test_an_error_of_the_cli_has_a_hint() -> None:
    with pytest.raises(UsageError, match="secret not found: key") as caught:
        from_recording("shop", answer(1, "service auth: secret not found: key\n"))
    assert "docker secret create key" in caught.value.hint
    assert "--make-secret key" in caught.value.hint


def test_a_request_that_is_not_known_stops_the_deploy() -> None:
    with pytest.raises(SwarmctlError, match=r"POST /v1\.45/volumes/create"):
        from_recording("shop", answer(0, "", "/v1.45/volumes/create"))


def test_a_missing_cli_is_not_reported_as_an_error_in_the_file() -> None:
    with pytest.raises(SwarmctlError, match="could not be run") as caught:
        from_recording("shop", answer(127, "no such file: docker"))
    assert not isinstance(caught.value, UsageError)


def test_variables_of_the_compose_file_are_found() -> None:
    assert named_variables(Rendered("a: $TAG ${PORT:-80} $$no ${X?}\n")) == ["PORT", "TAG", "X"]
