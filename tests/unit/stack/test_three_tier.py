"""The stack ``three_tier``: what failover and an update rely on, in both ways of publishing."""

from __future__ import annotations

import functools
import json
import math
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from swarmctl.errors import SwarmctlError
from swarmctl.stack.render.output import Rendered
from swarmctl.stack.render.source import render_stack

STACK = Path(__file__).parents[3] / "stacks" / "three_tier"
MODES = ("mesh", "host")


@functools.cache
def rendered(publish: str, **overrides: Any) -> Rendered:
    return render_stack(STACK, overrides={"publish": publish, **overrides})


def compose(publish: str, **overrides: Any) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(rendered(publish, **overrides).compose)
    return document


@pytest.mark.parametrize("publish", MODES)
def test_replicas_and_tiers_are_what_the_readme_says(publish: str) -> None:
    services = compose(publish)["services"]

    assert {name: s["deploy"]["replicas"] for name, s in services.items()} == {
        "web": 10,
        "api": 4,
        "db": 1,
    }
    assert {name: s["networks"] for name, s in services.items()} == {
        "web": ["frontend"],
        "api": ["frontend", "backend"],
        "db": ["backend"],
    }


@pytest.mark.parametrize("publish", MODES)
@pytest.mark.parametrize("service", ["web", "api", "db"])
def test_every_service_has_placement_health_check_and_update_settings(
    publish: str, service: str
) -> None:
    definition = compose(publish)["services"][service]
    deploy = definition["deploy"]

    assert set(deploy["resources"]["limits"]) == {"cpus", "memory"}
    assert set(deploy["resources"]["reservations"]) == {"cpus", "memory"}
    assert definition["healthcheck"]["test"][0] == "CMD"
    assert "node.role == worker" in deploy["placement"]["constraints"]
    # `none` would lose a replica whose node dies.
    assert deploy["restart_policy"]["condition"] == "any"
    assert deploy["update_config"]["failure_action"] == "rollback"
    order = "stop-first" if service == "db" else "start-first"
    assert deploy["update_config"]["order"] == deploy["rollback_config"]["order"] == order


def test_the_mesh_publishes_one_port_and_leaves_virtual_addresses_on() -> None:
    services = compose("mesh", published_port=8080)["services"]

    assert services["web"]["ports"] == [
        {"target": 80, "published": 8080, "protocol": "tcp", "mode": "ingress"}
    ]
    assert all("endpoint_mode" not in service["deploy"] for service in services.values())


def test_host_mode_uses_nothing_that_needs_ip_vs() -> None:
    services = compose("host")["services"]

    # No `published`: the Engine gives each replica a free port.
    assert services["web"]["ports"] == [{"target": 80, "protocol": "tcp", "mode": "host"}]
    assert all(s["deploy"]["endpoint_mode"] == "dnsrr" for s in services.values())


@pytest.mark.parametrize("publish", MODES)
def test_only_web_is_published(publish: str) -> None:
    services = compose(publish)["services"]

    assert [name for name, service in services.items() if "ports" in service] == ["web"]


def test_an_unknown_way_to_publish_is_an_error_that_names_the_allowed_ones() -> None:
    with pytest.raises(SwarmctlError, match="publish_must_be_mesh_or_host"):
        rendered("ingress")


@pytest.mark.parametrize("publish", MODES)
def test_the_password_exists_as_an_external_secret_only(publish: str) -> None:
    document = compose(publish)

    assert document["secrets"] == {
        "db_password": {"external": True, "name": "three_tier_db_password"}
    }
    passwords = {
        f"{name}.{key}": value
        for name, service in document["services"].items()
        for key, value in service.get("environment", {}).items()
        if "PASSWORD" in key
    }
    assert passwords == {
        "api.DB_PASSWORD_FILE": "/run/secrets/db_password",
        "db.POSTGRES_PASSWORD_FILE": "/run/secrets/db_password",
    }


def test_the_database_is_pinned_to_its_label_unless_told_otherwise() -> None:
    pinned = compose("mesh")["services"]["db"]["deploy"]["placement"]["constraints"]
    free = compose("mesh", db_pin="")["services"]["db"]["deploy"]["placement"]["constraints"]

    assert pinned == ["node.role == worker", "node.labels.three_tier.db == true"]
    assert free == ["node.role == worker"]


def test_two_small_workers_can_hold_everything_that_is_reserved() -> None:
    services = compose("mesh")["services"].values()

    def total(read: str) -> float:
        reserved = [(s["deploy"]["replicas"], s["deploy"]["resources"]) for s in services]
        return math.fsum(
            count * float(str(resources["reservations"][read]).rstrip("M"))
            for count, resources in reserved
        )

    assert total("memory") <= 2 * 1024 * 0.7
    assert total("cpus") <= 2


@pytest.mark.parametrize("publish", MODES)
def test_every_config_that_is_mounted_is_defined_and_its_file_delivered(publish: str) -> None:
    output = rendered(publish)
    document = yaml.safe_load(output.compose)

    mounted = {
        config["source"]
        for service in document["services"].values()
        for config in service.get("configs", [])
    }
    assert mounted == set(document["configs"])
    assert {c["file"].removeprefix("./") for c in document["configs"].values()} == set(output.files)


def test_a_changed_file_changes_the_name_of_its_config_and_of_no_other(tmp_path: Path) -> None:
    changed = tmp_path / "three_tier"
    shutil.copytree(STACK, changed)
    with (changed / "web" / "httpd.conf").open("a") as conf:
        conf.write("# changed\n")

    before = compose("mesh")["configs"]
    after = yaml.safe_load(render_stack(changed).compose)["configs"]

    assert {name for name in before if before[name] != after[name]} == {"httpd_conf"}
    assert re.fullmatch(r"three_tier_httpd_conf-[0-9a-f]{12}", after["httpd_conf"]["name"])


def test_a_changed_file_of_an_image_changes_the_image_and_no_other(tmp_path: Path) -> None:
    changed = tmp_path / "three_tier"
    shutil.copytree(STACK, changed)
    with (changed / "images" / "api" / "server.js").open("a") as script:
        script.write("// changed\n")

    before = compose("mesh")["services"]
    after = yaml.safe_load(render_stack(changed).compose)["services"]

    assert {name for name in before if before[name]["image"] != after[name]["image"]} == {"api"}
    assert re.fullmatch(r"three_tier/api:[0-9a-f]{12}", after["api"]["image"])


def test_packages_are_locked_by_content_and_not_by_the_address_of_a_registry() -> None:
    lock = json.loads((STACK / "images" / "api" / "package-lock.json").read_text())

    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert "node_modules/pg" in packages
    assert all("integrity" in entry for entry in packages.values())
    assert not any("resolved" in entry for entry in packages.values())


def test_the_api_s_image_does_not_run_as_root() -> None:
    dockerfile = (STACK / "images" / "api" / "Dockerfile").read_text()

    assert re.findall(r"^USER (\S+)$", dockerfile, re.MULTILINE) == ["node"]


def test_swarm_fills_in_slot_and_node_of_each_task() -> None:
    environment = compose("mesh")["services"]["api"]["environment"]

    assert environment["API_REPLICA"] == "api.{{.Task.Slot}}"
    assert environment["NODE_NAME"] == "{{.Node.Hostname}}"


def test_the_health_check_escapes_dollar_signs_for_compose() -> None:
    check = compose("mesh")["services"]["web"]["healthcheck"]["test"][-1]

    assert "$$status" in check
    assert not re.search(r"(?<!\$)\$(?!\$)", check)


def test_apache_resolves_each_request_and_tries_the_next_address_quickly() -> None:
    conf = rendered("mesh").files["web/httpd.conf"].decode()
    (line,) = re.findall(r'^ProxyPass "/" .*$', conf, re.MULTILINE)

    assert "http://tasks.api:3000/" in line
    assert "disablereuse=on" in line
    assert "retry=0" in line
    assert "connectiontimeout=400ms" in line
