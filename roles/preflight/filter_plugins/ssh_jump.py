"""SSH to nodes that are reached through a bastion or a manager: the same way as in swarmctl.

Not ``-o ProxyJump``: its first hop takes neither our key nor our host keys from the command line.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from swarmctl.reading.jump import MANAGERS, jump_host


def ssh_jumps(
    jump: str, machine: str, managers: Sequence[str], hostvars: Mapping[str, Any], cluster_dir: str
) -> list[str]:
    """The commands that log in to each machine that the way to a node may lead through.

    Args:
        jump: ``ssh_jump`` of the node.
        machine: the node's ``node_machine``; its name is not known in a delegated task.
        managers: the cluster's running managers.
        hostvars: their variables.
        cluster_dir: where the cluster's key and host keys are.

    Returns:
        Words for a shell each, in the order in which they are tried; what is to be done there is
        added to them. Empty if the node is reached directly.

    Raises:
        ValueError: a tag, which can be set by hand, names no machine or no user.
    """
    if not jump:
        return []
    if jump != MANAGERS:
        user, address, port = jump_host(jump)
        known = f"{cluster_dir}/known_hosts ~/.ssh/known_hosts"
        place = f"{user}@{address}" if user else address
        return [_login(place, port, f"{cluster_dir}/id_ed25519", known, [])]
    if machine in [hostvars[name]["node_machine"] for name in managers]:
        return []
    return [
        _login(
            f"{known['ansible_user']}@{known['ansible_host']}",
            str(known.get("ansible_port") or ""),
            str(known.get("ansible_ssh_private_key_file") or ""),
            f"{cluster_dir}/known_hosts",
            [f"HostKeyAlias={known['node_machine']}", "IdentitiesOnly=yes"],
        )
        for name in managers
        for known in (hostvars[name],)
    ]


def _login(place: str, port: str, key: str, known_hosts: str, more: Sequence[str]) -> str:
    """One login is kept and shared: sshd drops some at random when many are under way.

    It ends within 15 s when the machine is lost; the next one is tried then.
    """
    if place.startswith("-"):
        raise ValueError(f"{place!r} is no user and machine")
    login = " ".join((place, port, known_hosts, *more))
    name = hashlib.sha256(login.encode()).hexdigest()[:12]
    options = [
        *("BatchMode=yes", "ConnectTimeout=5", "StrictHostKeyChecking=yes"),
        *("ServerAliveInterval=5", "ServerAliveCountMax=3"),
        f"UserKnownHostsFile={known_hosts}",
        *("ControlMaster=auto", "ControlPersist=120s", f"ControlPath=~/.ansible/cp/jump-{name}"),
        *more,
    ]
    words = ["ssh", *(w for option in options for w in ("-o", option))]
    words += ["-i", key] if key else []
    words += ["-p", port] if port else []
    return shlex.join([*words, place])


def ssh_logins(
    hosts: Sequence[str], managers: Sequence[str], hostvars: Mapping[str, Any], cluster_dir: str
) -> list[list[str]]:
    """:func:`ssh_jumps` of these hosts, each once; none for those that are reached directly."""
    ways: list[list[str]] = []
    for host in hosts:
        known = hostvars[host]
        way = ssh_jumps(known["ssh_jump"], known["node_machine"], managers, hostvars, cluster_dir)
        if way and way not in ways:
            ways.append(way)
    return ways


def proxy_option(jumps: Sequence[str]) -> str:
    """The option for ``ssh`` that leads through the first machine that answers; "" for none."""
    if not jumps:
        return ""
    # ssh runs `exec COMMAND`, which a chain of commands is not.
    chain = " || ".join(f"{jump.replace('%', '%%')} -W '[%h]:%p'" for jump in jumps)
    return f"-o {shlex.quote(f'ProxyCommand=sh -c {shlex.quote(chain)}')}"


def login_check(jumps: Sequence[str]) -> str:
    """A command for a shell that logs in to the first machine that answers."""
    logins = " || ".join(f"{jump} true </dev/null" for jump in jumps)
    return f"mkdir -p -m 700 ~/.ansible/cp; {logins}"


def ssh_jump_errors(jump: str) -> list[str]:
    """Why this is no value for ``ssh_jump``."""
    if jump in ("", MANAGERS):
        return []
    try:
        jump_host(str(jump))
    except ValueError as fault:
        return [str(fault)]
    return []


class FilterModule:
    """The filters that Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {
            "ssh_jumps": ssh_jumps,
            "ssh_logins": ssh_logins,
            "proxy_option": proxy_option,
            "login_check": login_check,
            "ssh_jump_errors": ssh_jump_errors,
        }
