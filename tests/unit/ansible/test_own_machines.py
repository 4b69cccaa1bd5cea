"""An inventory of your own: what is recorded of it, what it must have, and the way to its nodes."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.ansible.filters import load_filters
from tests.unit.ansible.test_settings import settings

own = load_filters("preflight", "own_machines")
jumps = load_filters("preflight", "ssh_jump")

ROOT = Path(__file__).resolve().parents[3]
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
    good = {
        "provision": "none",
        "registry": "",
        "swarm_autolock": True,
        "swarm_unlock_key_store": "file",
    } | changes
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
        ({"m1": known(1, ansible_port="ssh")}, "ansible_port of m1 is 'ssh'"),
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
        ("swarm_unlock_key_store", "ssm"),
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


@pytest.mark.parametrize("user", ["-oProxyCommand=id", "-l"])
def test_a_users_name_is_never_an_option_of_ssh(user: str) -> None:
    """Whoever may set an instance's tags would run commands on the operator's machine."""
    with pytest.raises(ValueError, match="is no user and machine"):
        jumps.ssh_jumps("managers", "id3", ["m1"], {"m1": known(1, ansible_user=user)}, "/state")


def test_a_replaced_manager_gets_a_login_of_its_own() -> None:
    """It has its predecessor's address, and perhaps a control socket of it is left."""
    first, second = (
        jumps.ssh_jumps("managers", "id3", ["m1"], {"m1": known(1, node_machine=m)}, "/state")[0]
        for m in ("i-1", "i-2")
    )
    sockets = [[w for w in shlex.split(way) if "ControlPath" in w] for way in (first, second)]
    assert sockets[0] != sockets[1]


@pytest.mark.parametrize(
    "jump", ["-oProxyCommand=id", "-oA@host", "a b", "ops@", "x;id", "h:port", "host\n"]
)
def test_what_is_no_way_is_refused(jump: str) -> None:
    (error,) = jumps.ssh_jump_errors(jump)
    assert "allowed" in error
    with pytest.raises(ValueError, match="allowed"):
        jumps.ssh_jumps(jump, "id3", ["m1"], {}, "/state")


@pytest.mark.parametrize(
    ("playbook", "words"), [("replace_node", "node=shop_wkr1"), ("shrink", "allow_shrink=true")]
)
def test_what_would_end_machines_is_refused_and_the_machines_are_recorded(
    playbook: str, words: str, tmp_path: Path
) -> None:
    """The example is elsewhere, so the settings come by way of the link beside the playbooks."""
    inventory = tmp_path / "my-hosts.yml"
    inventory.write_text((ROOT / "inventory/static.example.yml").read_text())
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "ANSIBLE_"))}
    run = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", inventory,
         f"playbooks/{playbook}.yml", "-e", words],
        cwd=ROOT,
        env=kept | {"PYTHONPATH": str(ROOT), "SWARMCTL_STATE": str(tmp_path),
                    "AWS_EC2_METADATA_DISABLED": "true", "ANSIBLE_NOCOLOR": "1"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 2
    assert "the machines are your own; none is created or ended" in " ".join(run.stdout.split())
    record = tmp_path / "clusters/shop/machines.json"
    assert record.stat().st_mode & 0o777 == 0o600
    assert {m["name"]: m["private_ip"] for m in json.loads(record.read_text())} == {
        "shop_mgr1": "10.0.0.11", "shop_wkr1": "10.0.0.12", "shop_wkr2": "10.0.0.13"
    }  # fmt: skip
