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
IP_VS_LABEL = "swarmctl.ip_vs"  # for placement constraints of stacks

# The parts of a role that decide how it leaves a node.
_APPLIED = ("defaults", "files", "handlers", "tasks", "templates", "vars")


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


def swarm_fingerprints(
    facts: Mapping[str, Mapping[str, Any]], roles: Iterable[str]
) -> dict[str, str]:
    """By node a short text that differs when a visit would apply something else.

    Args:
        facts: the nodes' variables, by name; ``node_settings`` is what a visit applies.
        roles: folders of the roles that are applied.
    """
    files = hashlib.sha256()
    for role in map(Path, roles):
        for path in sorted(p for part in _APPLIED for p in (role / part).rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                files.update(f"\0{path.relative_to(role)}\0".encode() + path.read_bytes())
    whole = {
        host: f"{found['node_settings']}\0{files.hexdigest()}" for host, found in facts.items()
    }
    return {host: hashlib.sha256(text.encode()).hexdigest()[:16] for host, text in whole.items()}


def swarm_visits(
    survey: Mapping[str, Any],
    record: str | None,
    facts: Mapping[str, Mapping[str, Any]],
    fingerprints: Mapping[str, str],
    managers: Iterable[str],
) -> dict[str, str]:
    """The nodes to visit, each with the reason.

    Args:
        survey: what a manager knows; empty when none answered or none was asked.
        record: the recorded id of this cluster's Swarm.
        facts: the nodes' variables, by name; ``node_private_address`` is where EC2 has them.
        fingerprints: of what a visit would apply, by node.
        managers: names of the managers.
    """
    if not survey:
        return dict.fromkeys(facts, "no manager of a recorded Swarm answered")
    swarm = (survey["info"]["Swarm"].get("Cluster") or {}).get("ID")
    if swarm != record:
        reason = f"{survey['manager']} is in Swarm {swarm}, the record says {record}"
        return dict.fromkeys(facts, reason)
    chief = frozenset(managers)
    reasons = {
        host: _reason(
            [n for n in survey["nodes"] if n["Description"].get("Hostname") == host],
            "manager" if host in chief else "worker",
            variables["node_private_address"],
            fingerprints[host],
        )
        for host, variables in facts.items()
    }
    return {host: reason for host, reason in reasons.items() if reason}


def _reason(entries: Sequence[Mapping[str, Any]], role: str, address: str, fingerprint: str) -> str:
    """Why a node with these entries must be visited; ``""`` when it is as it should be."""
    ready = [node for node in entries if node["Status"]["State"] == "ready"]
    if not entries:
        return "not in the Swarm"
    if len(ready) != 1:
        return f"{', '.join(sorted(n['Status']['State'] for n in entries))} in the Swarm"
    (node,) = ready
    if node["Spec"]["Role"] != role:
        return f"a {node['Spec']['Role']} in the Swarm"
    if role == "manager" and (node.get("ManagerStatus") or {}).get("Reachability") != "reachable":
        return "not reached by the other managers"
    if (known := _address(node)) != address:
        return f"known to the Swarm at {known} instead of {address}"
    applied = (node["Spec"].get("Labels") or {}).get(SETTINGS_LABEL)
    if applied != fingerprint:
        return "settings or roles have changed" if applied else "no settings are recorded"
    return ""


def _address(node: Mapping[str, Any]) -> str:
    """A manager's Status.Addr may be 0.0.0.0; its raft address is the one the others use."""
    raft: str = (node.get("ManagerStatus") or {}).get("Addr", "")
    return raft.rpartition(":")[0] or str(node["Status"].get("Addr", ""))


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


def swarm_labels(
    facts: Mapping[str, Mapping[str, Any]],
    standard: Mapping[str, str],
    node_labels: Mapping[str, Mapping[str, Any] | None],
) -> dict[str, dict[str, Any]]:
    """The labels that each node should have.

    Args:
        facts: the nodes' variables, by name.
        standard: labels of every node, with the variable that has the value.
        node_labels: labels by group, short name (``wkr1``) or full name; the later wins.
    """
    wanted = {}
    for host, variables in facts.items():
        labels = {label: variables[variable] for label, variable in standard.items()}
        for key in (*variables["group_names"], host.rsplit("_", 1)[-1], host):
            labels |= node_labels.get(key) or {}
        wanted[host] = labels
    return wanted


def swarm_with_visits(
    labels: Mapping[str, Mapping[str, Any]],
    facts: Mapping[str, Mapping[str, Any]],
    fingerprints: Mapping[str, str],
) -> dict[str, dict[str, Any]]:
    """The labels, and for nodes that this run has visited what the visit left there.

    Args:
        labels: by node.
        facts: the nodes' variables; the last task of a visit has set ``swarm_kernel``.
        fingerprints: of what a visit applies, by node; empty when this one has not applied all.
    """
    return {
        host: dict(found)
        | (
            {SETTINGS_LABEL: fingerprints[host], IP_VS_LABEL: kernel["stdout"].strip()}
            if (kernel := facts[host].get("swarm_kernel")) and host in fingerprints
            else {}
        )
        for host, found in labels.items()
    }


class FilterModule:
    """The filters that Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {
            "swarm_survey": swarm_survey,
            "swarm_fingerprints": swarm_fingerprints,
            "swarm_visits": swarm_visits,
            "swarm_visit_lines": swarm_visit_lines,
            "swarm_label_commands": swarm_label_commands,
            "swarm_labels": swarm_labels,
            "swarm_with_visits": swarm_with_visits,
        }
