"""Which nodes a run must connect to, decided from what EC2 and one manager say of them.

A visit applies the roles ``docker_engine`` and ``swarm`` to a node. Then the node gets a label with
a fingerprint of all that was applied: the roles' files, the settings, the machine. While that label
is right, and a manager of the recorded Swarm has the node as Ready at its address and in its role,
a visit would change nothing unless somebody has changed the node by hand.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

SETTINGS_LABEL = "swarmctl.settings"
IP_VS_LABEL = "swarmctl.ip_vs"  # read by swarmctl/network/kernels.py

# What decides how a role leaves a node; its README and tests do not.
_APPLIED = ("defaults", "files", "filter_plugins", "handlers", "tasks", "templates", "vars")


def swarm_survey(answers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What the first manager that answered knows.

    Args:
        answers: results of ``docker info`` and ``docker node inspect``, by turns, of managers.

    Returns:
        ``{"manager": host, "info": docker info, "nodes": docker node inspect}``, or ``{}``.
    """
    for answer in answers:
        if answer.get("rc") == 0:
            info, end = json.JSONDecoder().raw_decode(answer["stdout"])
            nodes = json.loads(answer["stdout"][end:])
            return {"manager": answer["item"], "info": info, "nodes": nodes}
    return {}


def swarm_fingerprint(settings: str, roles: Iterable[str]) -> str:
    """A short text that differs when a visit would apply something else.

    Args:
        settings: a node's settings and its machine, as text.
        roles: folders of the roles that are applied.
    """
    digest = hashlib.sha256(settings.encode())
    for role in map(Path, roles):
        for path in sorted(p for part in _APPLIED for p in (role / part).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                digest.update(f"\0{path.relative_to(role)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def swarm_visits(
    survey: Mapping[str, Any],
    record: str | None,
    hosts: Mapping[str, Mapping[str, str]],
    managers: Iterable[str],
) -> dict[str, str]:
    """The nodes to visit, each with the reason.

    Args:
        survey: what a manager knows; empty when none answered or none was asked.
        record: the recorded id of this cluster's Swarm.
        hosts: the nodes of this run with ``address`` and ``fingerprint``, both as they should be.
        managers: names of the managers.
    """
    if not survey:
        return dict.fromkeys(hosts, "no manager of a recorded Swarm answered")
    swarm = (survey["info"]["Swarm"].get("Cluster") or {}).get("ID")
    if swarm != record:
        reason = f"{survey['manager']} is in Swarm {swarm}, the record says {record}"
        return dict.fromkeys(hosts, reason)
    chief = frozenset(managers)
    reasons = {
        host: _reason(survey["nodes"], host, wanted, "manager" if host in chief else "worker")
        for host, wanted in hosts.items()
    }
    return {host: reason for host, reason in reasons.items() if reason}


def _reason(
    nodes: Iterable[Mapping[str, Any]], host: str, wanted: Mapping[str, str], role: str
) -> str:
    """Why a node must be visited; ``""`` when it is as it should be."""
    entries = [node for node in nodes if node["Description"].get("Hostname") == host]
    ready = [node for node in entries if node["Status"]["State"] == "ready"]
    if not entries:
        return "not in the Swarm"
    if len(ready) != 1:
        states = ", ".join(sorted(node["Status"]["State"] for node in entries))
        return f"in the Swarm it is {states}"
    (node,) = ready
    status = node.get("ManagerStatus") or {}
    address = status.get("Addr", "").rpartition(":")[0] or node["Status"].get("Addr", "")
    if node["Spec"]["Role"] != role:
        return f"in the Swarm it is a {node['Spec']['Role']}"
    if role == "manager" and status.get("Reachability") != "reachable":
        return "the other managers do not reach it"
    if address != wanted["address"]:
        return f"the Swarm knows it at {address}, its address is {wanted['address']}"
    applied = node["Spec"].get("Labels", {}).get(SETTINGS_LABEL)
    if applied != wanted["fingerprint"]:
        return "its settings have changed" if applied else "no settings are recorded for it"
    return ""


def swarm_visit_lines(visits: Mapping[str, str], hosts: int, manager: str) -> list[str]:
    """What a person reads: each reason with its nodes, and how many nodes are left alone."""
    by_reason: dict[str, list[str]] = {}
    for host, reason in visits.items():
        by_reason.setdefault(reason, []).append(host)
    lines = [f"to visit: {', '.join(found)} ({reason})" for reason, found in by_reason.items()]
    if confirmed := hosts - len(visits):
        lines.append(f"{manager} confirms {confirmed} of {hosts} nodes: no visit")
    return lines


def swarm_label_commands(
    nodes: Iterable[Mapping[str, Any]], wanted: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """``docker node update`` for every Ready node that lacks labels.

    Args:
        nodes: ``docker node inspect``.
        wanted: labels by hostname; empty values are left out.
    """
    commands = []
    for node in nodes:
        host = node["Description"].get("Hostname")
        if node["Status"]["State"] != "ready" or host not in wanted:
            continue
        present = node["Spec"].get("Labels") or {}
        texts = {key: str(value) for key, value in wanted[host].items() if value not in ("", None)}
        if missing := [f"--label-add={k}={v}" for k, v in texts.items() if present.get(k) != v]:
            commands.append(shlex.join(["docker", "node", "update", *missing, node["ID"]]))
    return commands


def swarm_wanted_labels(
    host: str,
    groups: Sequence[str],
    standard: Mapping[str, Any],
    node_labels: Mapping[str, Mapping[str, Any] | None],
) -> dict[str, Any]:
    """The labels of a node: its own win over its groups', and both over the standard ones.

    Args:
        host: the node's name.
        groups: its groups.
        standard: labels of every node.
        node_labels: labels by group, short name (``wkr1``) or full name; the later wins.
    """
    wanted = dict(standard)
    for key in (*groups, host.rsplit("_", 1)[-1], host):
        wanted |= node_labels.get(key) or {}
    return wanted


class FilterModule:
    """The filters that Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {
            "swarm_survey": swarm_survey,
            "swarm_fingerprint": swarm_fingerprint,
            "swarm_visits": swarm_visits,
            "swarm_visit_lines": swarm_visit_lines,
            "swarm_label_commands": swarm_label_commands,
            "swarm_wanted_labels": swarm_wanted_labels,
        }
