"""An inventory of your own: what is recorded of it, what it must have, and the way to its nodes."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.ansible.filters import load_filters
from tests.unit.ansible.test_settings import settings

own = load_filters("preflight", "own_machines")
jumps = load_filters("preflight", "ssh_jump")

GROUPS = ["m1"]


def known(number: int, **more: Any) -> dict[str, Any]:
    address = f"10.0.0.{number}"
    return {
        "ansible_host": address,
        "node_private_address": address,
        "node_machine": f"id{number}",
        "node_zone": "",
        "ansible_user": "admin",
    } | more


def errors(hosts: dict[str, dict[str, Any]], **changes: Any) -> list[str]:
    records = own.machine_records(sorted(hosts), hosts, GROUPS)
    good = {"provision": "none", "registry": ""} | changes
    found: list[str] = own.own_machine_errors(settings(**good), records)
    return found


def test_a_good_inventory_passes_and_is_recorded() -> None:
    hosts = {"m1": known(1, ansible_port=2222), "w1": known(2, ssh_jump="managers")}
    assert errors(hosts) == []
    first, second = own.machine_records(["m1", "w1"], hosts, GROUPS)
    assert (first["role"], first["port"], first["id"]) == ("manager", 2222, "id1")
    assert (second["role"], second["jump"], second["private_ip"]) == (
        "worker", "managers", "10.0.0.2"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("hosts", "problem"),
    [
        ({"w1": known(2)}, "group managers has 0 nodes"),
        ({"m1": known(1, ansible_user="")}, "m1 has no ansible_user"),
        ({"m1": known(1, node_private_address="host.example")}, "node_private_address of m1"),
        ({"m1": known(1), "w1": known(2, node_private_address="10.0.0.1")}, "have the address 10"),
        ({"m1": known(1), "w1": known(2, node_machine="id1")}, "have the node_machine 'id1'"),
        ({"m1": known(1), "w1": {"node_zone": ""}}, "w1 has no ansible_host"),
        ({"m1": known(1, node_private_address="10.224.0.9")}, "swarm_address_pool 10.224.0.0/12"),
    ],
)
def test_what_a_machine_lacks_is_named_with_what_is_allowed(
    hosts: dict[str, dict[str, Any]], problem: str
) -> None:
    (error,) = errors(hosts)
    assert problem in error
    assert "allowed" in error


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("load_balancer_enabled", True),
        ("discovery_enabled", True),
        ("registry_refresh_enabled", "true"),
        ("registry", "ecr"),
        ("stacks", [{"name": "web", "logging": "awslogs"}]),
        ("swarm_node_labels", {"elsewhere": {"a": "b"}}),
    ],
)
def test_what_only_aws_has_is_refused(name: str, value: Any) -> None:
    (error,) = errors({"m1": known(1)}, **{name: value})
    assert name in error
    assert "allowed" in error


def test_a_node_is_reached_through_the_first_manager_that_answers(tmp_path: Path) -> None:
    hosts = {"m1": known(1), "m2": known(2), "w1": known(3)}
    assert jumps.ssh_jumps("managers", "id1", ["m1", "m2"], hosts, "/state") == []
    assert jumps.ssh_jumps("", "id3", ["m1"], hosts, "/state") == []
    ways = jumps.ssh_jumps("managers", "id3", ["m1", "m2"], hosts, "/state")
    assert [shlex.split(way)[-1] for way in ways] == ["admin@10.0.0.1", "admin@10.0.0.2"]
    for way, machine in zip(ways, ("id1", "id2"), strict=True):
        assert {"StrictHostKeyChecking=yes", f"HostKeyAlias={machine}"} <= set(shlex.split(way))

    # As ssh does it, with a first manager that is dead.
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\ncase "$*" in *10.0.0.1*) exit 255;; esac\necho "$*"\n')
    ssh.chmod(0o755)
    _, option = shlex.split(jumps.proxy_option(ways))
    command = option.removeprefix("ProxyCommand=").replace("%h", "w1").replace("%p", "22")
    said = subprocess.run(
        ["/bin/sh", "-c", f"exec {command}"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": "/root"},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert said.endswith("admin@10.0.0.2 -W [w1]:22\n")
    assert jumps.proxy_option([]) == ""


def test_a_bastion_leads_to_managers_too() -> None:
    (way,) = jumps.ssh_jumps("ops@b.example:2200", "id1", ["m1"], {}, "/state")
    assert shlex.split(way)[-3:] == ["-p", "2200", "ops@b.example"]


@pytest.mark.parametrize("jump", ["", "managers", "bastion", "ops@10.0.0.9", "ops@b.example:22"])
def test_a_way_is_accepted(jump: str) -> None:
    assert jumps.ssh_jump_errors(jump) == []


@pytest.mark.parametrize("jump", ["-oProxyCommand=id", "a b", "ops@", "x;id", "h:port"])
def test_what_is_no_way_is_refused(jump: str) -> None:
    (error,) = jumps.ssh_jump_errors(jump)
    assert "allowed" in error
