"""Which Swarm the nodes belong to, and why a run must stop: decided from ``docker info``.

Fail closed: a second Swarm beside the first one is worse than none. A Swarm is founded only when
every planned manager answered, no node is in a Swarm, and none is on record.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

LEAVE = "docker swarm leave --force"

# An attempt to join that failed or timed out, or a certificate that is not accepted any more.
OUTSIDE = ("error", "pending")


def swarm_membership(
    infos: Mapping[str, Mapping[str, Any]],
    play_hosts: Collection[str],
    members: Collection[str],
    managers: Sequence[str],
    record: str | None,
    start_anew: bool = False,
) -> dict[str, Any]:
    """The Swarm of this cluster, the manager to ask, and the reasons to stop.

    Args:
        infos: ``docker info`` as JSON, by host; only hosts that answered.
        play_hosts: hosts that this run configures.
        members: the cluster's running nodes.
        managers: planned managers in order, whether they run or not.
        record: content of the file that records the cluster's Swarm; None when there is no file.
        start_anew: found a Swarm although one is on record.

    Returns:
        ``{"id": cluster id or "", "leader": host, "address": …, "errors": […]}``. With an empty id
        and no errors a new Swarm may be founded on ``leader``.
    """
    swarms = {host: infos[host]["Swarm"] for host in infos}
    ids = {h: cluster_id(swarms[h]) for h in managers if h in swarms and cluster_id(swarms[h])}
    errors = _unusable(swarms, play_hosts, anew=bool(ids)) + _leaderless(swarms)
    if ids:
        errors += _conflicts(ids, record if not start_anew else None)
    elif not errors:
        errors = _founding(swarms, play_hosts, members, managers, None if start_anew else record)
    candidates = [h for h in ids if h in play_hosts] + [*ids] + [*managers]
    leader = candidates[0] if candidates else ""
    return {
        "id": ids.get(leader, ""),
        "leader": leader,
        "address": swarms.get(leader, {}).get("NodeAddr", ""),
        "errors": errors,
    }


def cluster_id(swarm: Mapping[str, Any]) -> str:
    """The id that a manager knows; empty on workers, and on managers that reach no leader.

    Source: ``Cluster.Info`` in moby's daemon/cluster/swarm.go.
    """
    return (swarm.get("Cluster") or {}).get("ID") or ""


def _unusable(
    swarms: Mapping[str, Mapping[str, Any]], hosts: Collection[str], *, anew: bool
) -> list[str]:
    """The hosts that can neither join nor stay; ``anew``: they may leave and join this Swarm."""
    usable = ("active", "inactive", *(OUTSIDE if anew else ()))
    return [
        f"{host} is {swarms[host]['LocalNodeState']} "
        f"({swarms[host].get('Error') or 'no reason given'}): "
        "unlock a locked manager: swarmctl node unlock; otherwise see journalctl -u docker there"
        for host in hosts
        if host in swarms and swarms[host]["LocalNodeState"] not in usable
    ]


def _leaderless(swarms: Mapping[str, Mapping[str, Any]]) -> list[str]:
    hosts = [h for h, s in swarms.items() if s.get("ControlAvailable") and not cluster_id(s)]
    if not hosts:
        return []
    reason = swarms[hosts[0]].get("Error") or "no reason given"
    return [
        f"{', '.join(hosts)}: manager of a Swarm, but reaches no leader ({reason}). A majority "
        "of the managers must run and reach each other on 2377/tcp. The Swarm was not changed"
    ]


def _conflicts(ids: Mapping[str, str], record: str | None) -> list[str]:
    if len(set(ids.values())) > 1:
        found = ", ".join(f"{host} in {swarm}" for host, swarm in ids.items())
        return [f"the managers are in different Swarms: {found}. Let the wrong ones leave: {LEAVE}"]
    (swarm,) = set(ids.values())
    if record and record != swarm:
        return [
            f"the managers are in Swarm {swarm}, the record of this cluster says {record}. If "
            f"{swarm} is the right one, remove the record and run again"
        ]
    return []


def _founding(
    swarms: Mapping[str, Mapping[str, Any]],
    play_hosts: Collection[str],
    members: Collection[str],
    managers: Sequence[str],
    record: str | None,
) -> list[str]:
    """Why no Swarm may be founded although no manager that answered is in one."""
    silent = [host for host in managers if host not in swarms]
    if silent:
        return [
            "no manager that answered is in a Swarm, and these did not answer: "
            f"{', '.join(silent)}. Start them (playbooks/provision.yml), or correct the setting "
            "`managers`"
        ]
    active = [host for host in swarms if swarms[host]["LocalNodeState"] != "inactive"]
    if active:
        return [
            f"no manager is in a Swarm, but these nodes are: {', '.join(active)}. Restore the "
            f"managers of that Swarm; or let the nodes leave it: {LEAVE}"
        ]
    if record is not None:
        return [
            f"this cluster was bootstrapped before, as Swarm {record or '(unknown id)'}, and no "
            "manager is in it any more. Restore a manager's /var/lib/docker/swarm; or, to lose "
            "that Swarm for good, run again with -e swarm_start_anew=true"
        ]
    left_out = [host for host in members if host not in play_hosts]
    if left_out:
        return [
            f"a Swarm is founded only by a run of all nodes: add {', '.join(left_out)} to "
            "--limit, or run without --limit"
        ]
    return []


def swarm_strangers(
    nodes: Sequence[Mapping[str, Any]], infos: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Hosts that are in a Swarm, and not in this one.

    Args:
        nodes: ``docker node inspect`` of the members, from a manager.
        infos: ``docker info`` of the hosts that this run configures.
    """
    known = {node["ID"] for node in nodes}
    return [
        f"{host} is in another Swarm than the managers, or was removed from theirs: take it out of "
        f"the inventory; or, to lose what runs on it, let it leave: {LEAVE}"
        for host, info in infos.items()
        if info["Swarm"]["LocalNodeState"] == "active" and info["Swarm"]["NodeID"] not in known
    ]


def swarm_other_names(
    nodes: Sequence[Mapping[str, Any]], infos: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Members that their Swarm knows by another name than the inventory.

    They are not renamed: services may be placed by ``node.hostname``.

    Args:
        nodes: ``docker node inspect`` of the members, from a manager.
        infos: ``docker info`` of the hosts that this run configures.
    """
    names = {node["ID"]: node["Description"].get("Hostname") for node in nodes}
    found = {host: names.get(info["Swarm"].get("NodeID"), host) for host, info in infos.items()}
    return [
        f"{host} is called {name} in the Swarm, where services may be placed by that name: give it "
        "that name in the inventory"
        for host, name in found.items()
        if name and name != host  # none yet, just after the Swarm was founded
    ]


def swarm_node_errors(
    nodes: Sequence[Mapping[str, Any]],
    infos: Mapping[str, Mapping[str, Any]],
    managers: Collection[str],
) -> list[str]:
    """Members that are not Ready, are in another Swarm, or have the wrong role.

    Args:
        nodes: ``docker node inspect`` of the members, from a manager.
        infos: ``docker info`` of the hosts that this run configures.
        managers: names of the managers.
    """
    known = {node["ID"]: node for node in nodes}
    errors = swarm_strangers(nodes, infos)
    for host, info in infos.items():
        node = known.get(info["Swarm"].get("NodeID"))
        wanted = "manager" if host in managers else "worker"
        if node is None or info["Swarm"]["LocalNodeState"] != "active":
            continue
        if node["Status"]["State"] != "ready":
            errors.append(f"{host} is {node['Status']['State']}, not ready")
        elif node["Spec"]["Role"] != wanted:
            verb = "promote" if wanted == "manager" else "demote"
            errors.append(
                f"{host} is a {node['Spec']['Role']}, its tag swarmctl:role says {wanted}: "
                f"docker node {verb} {host}"
            )
    return errors


def swarm_broken_managers(
    nodes: Sequence[Mapping[str, Any]], infos: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Why hosts that are outside may not leave: this Swarm counts them among its managers.

    Args:
        nodes: ``docker node inspect`` of all nodes; none when no manager answered.
        infos: ``docker info`` of the hosts that this run configures.
    """
    if not nodes:
        return ["no manager says whom the Swarm counts: no node was told to leave. Run again"]
    managers = {
        node["Description"].get("Hostname") for node in nodes if node["Spec"]["Role"] == "manager"
    }
    return [
        f"{host} is {info['Swarm']['LocalNodeState']} "
        f"({info['Swarm'].get('Error') or 'no reason'}), and "
        "its Swarm counts it as a manager: it was not told to leave. Replace it "
        f"(playbooks/replace_node.yml -e node={host}), or see journalctl -u docker there"
        for host, info in infos.items()
        if info["Swarm"]["LocalNodeState"] in OUTSIDE and host in managers
    ]


def swarm_left_behind(
    nodes: Sequence[Mapping[str, Any]], infos: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Ids of workers that are Down and whose host is in the Swarm under another id.

    Args:
        nodes: ``docker node inspect`` of all nodes, from before the hosts joined.
        infos: ``docker info`` of the hosts that this run configures.
    """
    now = {h: i["Swarm"]["NodeID"] for h, i in infos.items() if i["Swarm"].get("NodeID")}
    return [
        node["ID"]
        for node in nodes
        if now.get(node["Description"].get("Hostname"), node["ID"]) != node["ID"]
        and node["Status"]["State"] == "down"
        and node["Spec"]["Role"] == "worker"
    ]


def swarm_outsiders(
    infos: Mapping[str, Mapping[str, Any]], facts: Mapping[str, Mapping[str, Any]], address: str
) -> list[str]:
    """The hosts that did not get into the Swarm, each with the reason of its last attempt.

    Args:
        infos: ``docker info`` of the hosts that this run configures.
        facts: their variables, with the Engine's answers to their attempts.
        address: the manager's.
    """
    return [
        f"{host} could not join through {address}:2377: {_answer(facts[host])}"
        for host, info in infos.items()
        if info["Swarm"]["LocalNodeState"] != "active"
    ]


def _answer(facts: Mapping[str, Any]) -> str:
    for name in ("swarm_joined_manager", "swarm_joined_worker"):
        answer = facts.get(name) or {}
        if "status" in answer:
            return str((answer.get("json") or {}).get("message") or answer.get("msg"))
    return "it was not tried"


class FilterModule:
    """The filters that Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filters by name."""
        return {
            "swarm_membership": swarm_membership,
            "swarm_strangers": swarm_strangers,
            "swarm_other_names": swarm_other_names,
            "swarm_node_errors": swarm_node_errors,
            "swarm_broken_managers": swarm_broken_managers,
            "swarm_left_behind": swarm_left_behind,
            "swarm_outsiders": swarm_outsiders,
        }
