"""500 tasks of 50 services behind a load balancer: seconds, calls and memory of the agent's part.

The Swarm is simulated; the API is the lab's, over HTTP, with its limits.

Usage: python -m bench.load_balancer   (prints the figures as JSON)
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import parse_qs

import boto3
from rich.table import Table

from bench.lab_api import lab_api
from bench.support import ROOT
from swarmctl.cloud.instances import CLUSTER_TAG, Cloud, Instance
from swarmctl.cloud.load_balancer import ElbApi, new_client
from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.edition import Edition, follow
from swarmctl.discovery.listeners.listener import PublishError
from swarmctl.discovery.listeners.load_balancer.instance_ids import InstanceIds
from swarmctl.discovery.listeners.load_balancer.listener import (
    LOOK_S,
    READ_AGAIN_S,
    LoadBalancerListener,
)
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.parse import parse_swarm
from swarmctl.wait import wait_for
from tests.unit.engine_json import node, service, task

# An instance has at most 100 targets of a load balancer, those that drain included.
CLUSTER, SERVICES, TASKS, NODES = "bench", 50, 10, 12
DEADLINE_S = 300.0


def measure(note: Callable[[str], None]) -> dict[str, Any]:
    """Measure once, in processes of their own."""
    note(f"load balancer: {SERVICES} services, {SERVICES * TASKS} tasks")
    with lab_api() as env:
        done = subprocess.run(
            [sys.executable, "-m", "bench.load_balancer"],
            cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, check=True,
        )  # fmt: skip
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def table(found: dict[str, Any]) -> Table:
    """The figures, a row for each step."""
    title = f"load balancer: {SERVICES * TASKS} tasks, {SERVICES} services"
    view = Table("step", "seconds", "calls", "of them writes", title=title)
    for step, figures in found["steps"].items():
        counts = str(figures["calls"]), str(figures["writes"])
        view.add_row(step, f"{figures['seconds']:.2f}", *counts)
    view.caption = f"{found['calls_an_hour']} calls an hour unchanged, {found['mib']} MiB"
    return view


def _main() -> None:
    calls: Counter[str] = Counter()
    listener = _new_listener(calls, _make_cluster())
    addresses = sorted(each.private_ip for each in listener.instances.read())
    steps: dict[str, dict[str, float]] = {}

    def step(name: str, wanted: Edition) -> None:
        calls.clear()
        began = time.monotonic()
        _publish(listener, wanted, began)
        seconds = round(time.monotonic() - began, 2)
        steps[name] = {"seconds": seconds, "calls": calls.total(), "writes": _writes(calls)}

    every = SERVICES * TASKS
    step("from nothing", _edition(addresses, 0))
    step("unchanged", _edition(addresses, 0))
    step("one task replaced", _edition(addresses, 1))
    step("all tasks replaced", _edition(addresses, every))
    listener = _new_listener(calls, listener.instances.read)
    step("a new agent, unchanged", _edition(addresses, every))
    step("all stacks removed", _edition(addresses, None))
    compared = steps["a new agent, unchanged"]["calls"]
    figures = {
        "steps": steps,
        "calls_an_hour": round(3600 * (compared / READ_AGAIN_S + 1 / LOOK_S)),
        "mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    sys.stdout.write(json.dumps(figures))


def _make_cluster() -> Callable[[], tuple[Instance, ...]]:
    """Instances and a load balancer with one listener; returns what reads the instances."""
    ec2: Any = boto3.client("ec2")
    elb: Any = boto3.client("elbv2")
    vpc = ec2.create_vpc(CidrBlock="10.99.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.99.{n}.0/24", AvailabilityZone=zone)["Subnet"][
            "SubnetId"
        ]
        for n, zone in ((1, "eu-central-1a"), (2, "eu-central-1b"))
    ]
    tag = [{"Key": CLUSTER_TAG, "Value": CLUSTER}]
    image = ec2.describe_images(Owners=["self"])["Images"][0]["ImageId"]
    ec2.run_instances(
        ImageId=image, MinCount=NODES, MaxCount=NODES, SubnetId=subnets[0],
        TagSpecifications=[{"ResourceType": "instance", "Tags": tag}],
    )  # fmt: skip
    made = elb.create_load_balancer(Name=CLUSTER, Subnets=subnets, Tags=tag)["LoadBalancers"][0]
    elb.create_listener(
        LoadBalancerArn=made["LoadBalancerArn"], Protocol="HTTP", Port=80,
        DefaultActions=[{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}],
    )  # fmt: skip
    cloud = Cloud()
    wait_for(
        "the instances to run",
        lambda: (all(i.state == "running" for i in cloud.instances(CLUSTER)) or None, "not yet"),
        timeout=30,
        interval=0.1,
    )
    return lambda: cloud.instances(CLUSTER)


def _new_listener(
    calls: Counter[str], instances: Callable[[], Iterable[Instance]]
) -> LoadBalancerListener:
    """As in a new process; each request, repeated ones too, is counted by its operation."""
    client = new_client()
    client.meta.events.register(
        "before-send.elastic-load-balancing-v2",
        lambda request, **_: calls.update(parse_qs(request.body)["Action"]),
    )

    def read() -> tuple[Instance, ...]:
        calls["DescribeInstances"] += 1
        return tuple(instances())

    return LoadBalancerListener(ElbApi(client), CLUSTER, InstanceIds(read))


def _edition(addresses: Sequence[str], replaced: int | None) -> Edition:
    """The Swarm after so many tasks were replaced; ``None`` without any service."""
    nodes = [node(f"n{n}", addr=address, leader=not n) for n, address in enumerate(addresses)]
    services, tasks = [], []
    for number in range(SERVICES if replaced is not None else 0):
        name = f"shop_s{number:02}"
        raw = service(name, ports=[{"TargetPort": 80, "PublishMode": "host", "Protocol": "tcp"}])
        raw["Spec"]["Labels"] |= {
            "swarmctl.http.path": f"/s{number:02}/*",
            "swarmctl.http.strip-prefix": f"/s{number:02}",
        }
        services.append(raw)
        for slot in range(TASKS):
            place = number * TASKS + slot
            port = 32768 + place + (10_000 if place < (replaced or 0) else 0)
            ports = [{"TargetPort": 80, "PublishedPort": port, "PublishMode": "host"}]
            on, id_ = f"n{place % len(addresses)}", f"t{port}"
            tasks.append(task(name, on, slot + 1, id=id_, ports=[{**ports[0], "Protocol": "tcp"}]))
    swarm = parse_swarm({"nodes": nodes, "services": services, "tasks": tasks})
    return follow(None, catalogue(swarm), (), time.time_ns() // 1_000_000)


def _publish(listener: LoadBalancerListener, wanted: Edition, began: float) -> None:
    """Publish until it is done, as the agent's thread would."""
    while True:
        try:
            return listener.publish(wanted)
        except SwarmctlError as fault:
            if time.monotonic() - began > DEADLINE_S:
                raise
            # The pause that the listener asks for, as the agent keeps it.
            time.sleep(fault.retry_s if isinstance(fault, PublishError) else 1.0)


def _writes(calls: Counter[str]) -> int:
    return sum(count for name, count in calls.items() if not name.startswith("Describe"))


if __name__ == "__main__":
    _main()
