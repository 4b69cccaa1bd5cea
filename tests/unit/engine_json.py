"""The Engine API's JSON as far as the model reads it, made by hand."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from swarmctl.swarm.model import Swarm
from swarmctl.swarm.parse import parse_swarm

_ids = itertools.count()


def node(name: str, role: str = "worker", state: str = "ready", **more: Any) -> dict[str, Any]:
    """A node; ``availability``, ``labels``, ``leader``, ``addr`` as further arguments."""
    raw: dict[str, Any] = {
        "ID": f"id-{name}",
        "Spec": {
            "Role": role,
            "Availability": more.get("availability", "active"),
            "Labels": more.get("labels", {}),
        },
        "Description": {
            "Hostname": name,
            "Platform": {"Architecture": "x86_64", "OS": "linux"},
            "Resources": {"NanoCPUs": 2_000_000_000, "MemoryBytes": 1 << 31},
            "Engine": {"EngineVersion": "26.1.5", "Labels": more.get("engine_labels")},
        },
        "Status": {
            "State": state,
            "Addr": more.get("addr", "10.42.0.5"),
            "Message": more.get("message", ""),
        },
    }
    if role == "manager":
        raw["ManagerStatus"] = {
            "Leader": more.get("leader", False),
            "Reachability": "reachable",
            "Addr": f"{more.get('addr', '10.42.0.4')}:2377",
        }
    return raw


def template(image: str = "httpd:2.4", **more: Any) -> dict[str, Any]:
    """A task template."""
    return {"ContainerSpec": {"Image": image}, "ForceUpdate": 0, **more}


def service(
    name: str,
    mode: Mapping[str, Any] | None = None,
    *,
    replicas: int = 1,
    stack: str = "three_tier",
    spec: Mapping[str, Any] | None = None,
    ports: list[dict[str, Any]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A service; replicated unless a ``mode`` says otherwise."""
    return {
        "ID": f"id-{name}",
        "Version": {"Index": 10},
        "Spec": {
            "Name": name,
            "Labels": {"com.docker.stack.namespace": stack} if stack else {},
            "TaskTemplate": {**(spec or template()), "Runtime": "container"},
            "Mode": mode or {"Replicated": {"Replicas": replicas}},
            "EndpointSpec": {"Mode": "vip", "Ports": ports},
        },
        **more,
    }


def task(
    of: str, on: str = "", slot: int = 0, state: str = "running", **more: Any
) -> dict[str, Any]:
    """A task of a service, on a node; ``desired``, ``spec``, ``error``, ``ports`` as arguments."""
    raw: dict[str, Any] = {
        "ID": more.get("id", f"task-{next(_ids)}"),
        "ServiceID": f"id-{of}",
        "CreatedAt": more.get("created", "2026-01-31T12:00:00.123456789Z"),
        "Spec": more.get("spec") or template(),
        "Status": {
            "State": state,
            "Timestamp": "2026-01-31T12:00:01Z",
            "Message": more.get("message", ""),
            "Err": more.get("error", ""),
            "PortStatus": {"Ports": more.get("ports", [])},
        },
        "DesiredState": more.get("desired", "running"),
    }
    if slot:
        raw["Slot"] = slot
    if on:
        raw["NodeID"] = f"id-{on}"
    if "iteration" in more:
        raw["JobIteration"] = {"Index": more["iteration"]}
    return raw


def swarm(
    nodes: list[dict[str, Any]], services: list[dict[str, Any]], tasks: list[dict[str, Any]]
) -> Swarm:
    """The model of all that."""
    return parse_swarm({"nodes": nodes, "services": services, "tasks": tasks})
