"""Machines and their containers find each other by the names that Cloud Map has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from swarmctl.lab.machine import container_name
from tests.lab.support import NAME, Lab
from tests.lab.test_2_machines.conftest import run

pytestmark = pytest.mark.timeout(300)

DOMAIN = "names.internal"
TASKS = 12
ASK = f"""
const dns = require("dns").promises;
Promise.all([
  dns.resolve4("web.{DOMAIN}"),
  dns.resolveSrv("_web._tcp.{DOMAIN}"),
]).then(async ([addresses, targets]) => console.log(JSON.stringify({{
  addresses, targets, first: (await dns.resolve4(targets[0].name))[0],
}})), error => console.log(String(error)));
"""


@pytest.fixture
def tasks(lab: Lab, instance: str) -> Iterator[dict[str, int]]:
    """The ports of twelve registered tasks by their addresses."""
    cloud_map = lab.client("servicediscovery")
    (found,) = lab.ec2.describe_instances(InstanceIds=[instance])["Reservations"]
    cloud_map.create_private_dns_namespace(Name=DOMAIN, Vpc=found["Instances"][0]["VpcId"])
    (namespace,) = (n for n in cloud_map.list_namespaces()["Namespaces"] if n["Name"] == DOMAIN)
    services = [_service(cloud_map, namespace["Id"], *each) for each in _SERVICES]
    made = {f"10.93.1.{100 + n}": 32768 + n for n in range(TASKS)}
    for address, port in made.items():
        for service in services:
            cloud_map.register_instance(
                ServiceId=service,
                InstanceId=f"task{port}",
                Attributes={"AWS_INSTANCE_IPV4": address, "AWS_INSTANCE_PORT": str(port)},
            )
    yield made
    for service in services:
        for port in made.values():
            cloud_map.deregister_instance(ServiceId=service, InstanceId=f"task{port}")
        cloud_map.delete_service(Id=service)
    cloud_map.delete_namespace(Id=namespace["Id"])


_SERVICES = (("web", "A"), ("_web._tcp", "SRV"))


def _service(cloud_map: Any, namespace: str, name: str, kind: str) -> str:
    made = cloud_map.create_service(
        Name=name,
        NamespaceId=namespace,
        DnsConfig={"DnsRecords": [{"Type": kind, "TTL": 5}], "RoutingPolicy": "MULTIVALUE"},
    )
    return str(made["Service"]["Id"])


@pytest.mark.parametrize("network", ["host", "bridge"])
def test_a_container_finds_tasks_by_name_and_port(
    instance: str, tasks: dict[str, int], engine: docker.DockerClient, network: str
) -> None:
    """Broken: discovery by DNS works on AWS only, so nobody sees it work before."""
    machine: Container = engine.containers.get(container_name(NAME, instance))
    said = run(machine, "docker", "run", "--rm", "--network", network, "node:20", "node", "-e", ASK)
    found = json.loads(said.splitlines()[-1])
    assert len(found["addresses"]) == len(found["targets"]) == 8  # of twelve, as Route 53 does
    assert set(found["addresses"]) < set(tasks)
    first = found["targets"][0]
    assert tasks[found["first"]] == first["port"]
    assert first["name"] == f"task{first['port']}._web._tcp.{DOMAIN}"


@pytest.mark.parametrize("protocol", ["+notcp", "+tcp"])
def test_dig_on_a_machine_has_the_same_answers(
    instance: str, tasks: dict[str, int], engine: docker.DockerClient, protocol: str
) -> None:
    """Broken: the documentation's commands show nothing."""
    machine: Container = engine.containers.get(container_name(NAME, instance))
    addresses = run(machine, "dig", "+short", protocol, f"web.{DOMAIN}", "A").split()
    assert len(addresses) == 8
    assert set(addresses) < set(tasks)
    ports = run(machine, "dig", "+short", protocol, f"_web._tcp.{DOMAIN}", "SRV").split()[2::4]
    assert {int(port) for port in ports} <= set(tasks.values())


def test_a_machine_knows_itself_and_unknown_names_fail_at_once(
    instance: str, engine: docker.DockerClient
) -> None:
    """Broken: every lookup on a node waits for seconds."""
    machine: Container = engine.containers.get(container_name(NAME, instance))
    own = run(machine, "sh", "-c", "getent hosts $(hostname -s).eu-central-1.compute.internal")
    assert own.startswith("10.93.1.")
    unknown = "timeout 5 getent hosts nothing.eu-central-1.compute.internal; echo code $?"
    assert "code 2" in run(machine, "sh", "-c", unknown)
