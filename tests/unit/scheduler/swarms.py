"""Engine API JSON of made-up Swarms, small ones by hand and big ones by the thousand."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

Raw = dict[str, Any]
_ids = itertools.count()


def node(name: str, *, role: str = "worker", state: str = "ready", **more: Any) -> Raw:
    """A node; also ``availability``, ``labels``, ``engine_labels``, ``cpus``, ``memory`` (GiB),
    ``generic``, ``addr``, ``arch``, ``plugins``, ``leader``, ``reachability``."""
    raw: Raw = {
        "ID": more.get("id", f"id-{name}"),
        "Version": {"Index": 1},
        "Spec": {
            "Role": role,
            "Availability": more.get("availability", "active"),
            "Labels": more.get("labels", {}),
        },
        "Description": {
            "Hostname": name,
            "Platform": {"OS": "linux", "Architecture": more.get("arch", "x86_64")},
            "Resources": {
                "NanoCPUs": int(more.get("cpus", 4) * 1e9),
                "MemoryBytes": more.get("memory", 8) << 30,
                "GenericResources": more.get("generic", []),
            },
            "Engine": {
                "EngineVersion": "26.1.5",
                "Labels": more.get("engine_labels", {}),
                "Plugins": more.get("plugins", [{"Type": "Network", "Name": "overlay"}]),
            },
        },
        "Status": {"State": state, "Addr": more.get("addr", "10.0.0.1")},
    }
    if role == "manager":
        raw["ManagerStatus"] = {
            "Leader": more.get("leader", False),
            "Reachability": more.get("reachability", "reachable"),
        }
    return raw


def nodes(names: str, **more: Any) -> list[Raw]:
    """Several equal workers, their names separated by blanks."""
    return [node(name, **more) for name in names.split()]


def service(name: str, replicas: int = 1, **more: Any) -> Raw:
    """A service; also ``mode`` ("Global" …), ``constraints``, ``spread`` (descriptors),
    ``max_replicas``, ``cpus``, ``memory`` (GiB), ``generic``, ``ports`` (host), ``restart``,
    ``mounts``, ``networks``, ``platforms``, ``log_driver``."""
    mode = more.get("mode", "Replicated")
    details: Raw = {"Replicated": {"Replicas": replicas}, "ReplicatedJob": {}}.get(mode, {})
    reserved: Raw = {}
    if "cpus" in more:
        reserved["NanoCPUs"] = int(more["cpus"] * 1e9)
    if "memory" in more:
        reserved["MemoryBytes"] = more["memory"] << 30
    if "generic" in more:
        reserved["GenericResources"] = more["generic"]
    template: Raw = {
        "ContainerSpec": {"Image": "httpd:2.4", "Mounts": more.get("mounts", [])},
        "Resources": {"Reservations": reserved} if reserved else {},
        "RestartPolicy": more.get("restart", {"Condition": "any"}),
        "Placement": {
            "Constraints": more.get("constraints", []),
            "Preferences": [
                {"Spread": {"SpreadDescriptor": label}} for label in more.get("spread", [])
            ],
            "MaxReplicas": more.get("max_replicas", 0),
            "Platforms": more.get("platforms", []),
        },
        "Networks": [{"Target": target} for target in more.get("networks", [])],
    }
    if "log_driver" in more:
        template["LogDriver"] = {"Name": more["log_driver"]}
    ports = [
        {"Protocol": "tcp", "TargetPort": 80, "PublishedPort": p, "PublishMode": "host"}
        for p in more.get("ports", [])
    ]
    return {
        "ID": f"id-{name}",
        "Spec": {
            "Name": name,
            "Mode": {mode: details},
            "TaskTemplate": {**template, "Runtime": "container"},  # not in a task's spec
            "EndpointSpec": {"Ports": ports},
        },
        "Endpoint": {"Ports": ports, "VirtualIPs": more.get("virtual_ips", [])},
    }


def task(of: Raw, slot: int, on: str, **more: Any) -> Raw:
    """A task; ``on`` is a node's name, ``""`` for none; also ``state``, ``desired``, ``at``."""
    at = more.get("at", "2026-01-01T12:00:00Z")
    return {
        "ID": f"task-{next(_ids)}",
        "ServiceID": of["ID"],
        "Slot": slot,
        "NodeID": f"id-{on}" if on else "",
        "DesiredState": more.get("desired", "running"),
        "Status": {"State": more.get("state", "running"), "Timestamp": at},
        "CreatedAt": more.get("created", at),
        "Spec": {k: v for k, v in of["Spec"]["TaskTemplate"].items() if k != "Runtime"},
        "NetworksAttachments": [
            {"Network": {"ID": network}, "Addresses": [address]}
            for network, address in more.get("addresses", [])
        ],
    }


def tasks(of: Raw, placed: Mapping[str, int], **more: Any) -> list[Raw]:
    """Running tasks of a service: so many on each node, slots counted through."""
    where = [name for name, count in placed.items() for _ in range(count)]
    return [task(of, slot, name, **more) for slot, name in enumerate(where, 1)]


def swarm(
    nodes: Sequence[Raw],
    placed: Sequence[tuple[Raw, Mapping[str, int]]],
    extra: Sequence[Raw] = (),
    networks: Sequence[Raw] = (),
) -> Raw:
    """A snapshot: nodes, and services with their tasks by node; ``extra`` are further tasks."""
    return {
        "nodes": list(nodes),
        "services": [s for s, _ in placed],
        "tasks": [t for s, where in placed for t in tasks(s, where)] + list(extra),
        "networks": list(networks),
    }


def big(node_count: int, task_count: int, services: int = 200, seed: int = 1) -> Raw:
    """A big Swarm: three zones, some services constrained, spread, limited or reserving."""
    rng = Random(seed)
    names = [f"node{n:04}" for n in range(node_count)]
    machines = [
        node(
            name,
            role="manager" if place < 5 else "worker",
            leader=place == 0,
            labels={"az": "abc"[place % 3], "disk": "ssd" if place % 4 else "hdd"},
        )
        for place, name in enumerate(names)
    ]
    kinds: list[Raw] = [
        {},
        {"constraints": ["node.labels.disk == ssd"]},
        {"spread": ["node.labels.az"]},
        {"cpus": 0.25},
        {"memory": 1},
        {"max_replicas": 2},
    ]
    each, rest = divmod(task_count, services)
    placed = []
    for n in range(services):
        replicas = each + (n < rest)
        of = service(f"svc{n:03}", replicas, **kinds[n % len(kinds)])
        hosts = rng.sample(names, min(replicas, node_count))
        where: dict[str, int] = {}
        for slot in range(replicas):
            where[hosts[slot % len(hosts)]] = where.get(hosts[slot % len(hosts)], 0) + 1
        placed.append((of, where))
    return swarm(machines, placed)
