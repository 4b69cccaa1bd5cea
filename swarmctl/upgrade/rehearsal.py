"""A lab that is like a cluster: settings for site.yml, and placeholders for its services. Pure.

What is alike is what decides where replicas go: number, roles and labels of nodes; replicas,
constraints, preferences, limits, reservations and host ports of services. What runs in them is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from swarmctl.swarm.model import Service, Swarm
from swarmctl.swarm.node import Node

IMAGE = "httpd:2.4"  # the lab's mirror has it
# Labels that swarmctl gives a node: the lab's nodes get their own.
_OURS = "swarmctl."
# Ansible would run it on this computer.
_TEMPLATE = re.compile(r"\{[{%#]")
#: Settings that name what is not in the lab, or that decide nothing about where replicas go.
IN_THE_LAB: Mapping[str, Any] = {
    "provision": "ec2",
    "ami_family": "debian13",
    "availability_zones": ["eu-central-1a", "eu-central-1b", "eu-central-1c"],
    "node_overrides": {},
    "admin_cidr": "{{ lookup('ansible.builtin.env', 'SWARMCTL_ADMIN_CIDR') }}",
    "vpc_cidr": "{{ lookup('ansible.builtin.env', 'SWARMCTL_VPC_CIDR') }}",
    "vpc_id": "",
    "subnets": "{{ vpc_cidr | plan_subnets(availability_zones) }}",
    "subnet_ids": {},
    "private_nodes": "",
    "private_subnet_ids": {},
    "ssh_jump": "",
    "load_balancer_enabled": False,
    "discovery_enabled": False,
    "registry_refresh_enabled": False,
    "docker_engine_source": "distribution",
    "docker_engine_daemon_options": {},
    "swarm_autolock": False,
    "stacks": [],
}


def settings(swarm: Swarm, cluster: str) -> dict[str, Any]:
    """Variables for site.yml and upgrade.yml.

    Args:
        swarm: a snapshot.
        cluster: the name that its nodes begin with.
    """
    managers = [n for n in swarm.nodes if n.live and n.manager]
    workers = [n for n in swarm.nodes if n.live and not n.manager]
    return {
        **IN_THE_LAB,
        "cluster_name": cluster,
        "managers": len(managers),
        "workers": len(workers),
        "swarm_managers_run_tasks": any(n.availability == "active" for n in managers),
        "swarm_node_labels": dict(
            (*_labels(managers, f"{cluster}_mgr"), *_labels(workers, f"{cluster}_wkr"))
        ),
    }


def _labels(nodes: Sequence[Node], stem: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The labels by the name that a node has in the lab: its own, unless numbers are missing."""
    ordered = sorted(nodes, key=lambda n: (len(n.hostname), n.hostname))
    for number, node in enumerate(ordered, 1):
        yield (
            f"{stem}{number}",
            {
                key: text
                for key, text in node.labels.items()
                if not key.startswith(_OURS) and not _TEMPLATE.search(key + text)
            },
        )


def compose(swarm: Swarm) -> dict[str, Any]:
    """A compose file with a placeholder for each service; jobs are left out."""
    services = {s.name: _placeholder(s) for s in swarm.services if not s.is_job}
    # Engines before 25 want a version.
    return {"version": "3.8", "services": services}


def _placeholder(service: Service) -> dict[str, Any]:
    placement: Mapping[str, Any] = service.task_spec.get("Placement") or {}
    spread = [{"spread": descriptor} for descriptor in service.preferences]
    reserved = {
        "cpus": f"{service.reservations.nano_cpus / 1e9:.3f}",
        "memory": str(service.reservations.memory_bytes),
    }
    asked = {k: v for k, v in reserved.items() if float(v)}
    deploy: dict[str, Any] = {
        "mode": "global" if service.is_global else "replicated",
        "placement": {
            "constraints": list(placement.get("Constraints") or ()),
            "preferences": spread,
            **({"max_replicas_per_node": service.max_replicas} if service.max_replicas else {}),
        },
        "restart_policy": {"condition": service.restart.condition, "delay": "1s"},
        **({"resources": {"reservations": asked}} if asked else {}),
        **({} if service.is_global else {"replicas": service.replicas}),
    }
    ports = [
        {"target": port.target, "mode": "host", "protocol": port.protocol}
        | ({"published": port.published} if port.published else {})
        for port in service.ports
        if port.mode == "host"
    ]
    return {"image": IMAGE, "deploy": deploy, **({"ports": ports} if ports else {})}
