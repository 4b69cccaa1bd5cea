"""The floor: the same work as the playbooks and ``chaos run``, without Ansible.

Only boto3 and the Engine API over SSH: no checks, no idempotence, no error handling. What remains
is the time that AWS and Swarm themselves need. One function a phase.
"""

from __future__ import annotations

import base64
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import docker
import paramiko
import requests

from swarmctl.lab.api import GOLDEN_AMI
from swarmctl.lab.firewall import OPERATOR
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.parse import parse_swarm
from swarmctl.swarm.ssh import Endpoint, EngineAdapter
from swarmctl.wait import wait_for

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import IpPermissionTypeDef

T = TypeVar("T")
R = TypeVar("R")

ZONES = ("eu-central-1a", "eu-central-1b", "eu-central-1c")
BASE = "http://engine"
MOTO = """
from moto.server import ThreadedMotoServer
ThreadedMotoServer(port=0, verbose=False).start()
print("serving", flush=True)
input()
"""


@dataclass(frozen=True)
class Node:
    """A machine, and its Engine through SSH."""

    name: str
    instance: str
    ip: str
    engine: Engine


class Engine:
    """The Engine API of one node."""

    def __init__(self, ip: str, key: Path, known_hosts: Path) -> None:
        endpoint = Endpoint(
            ip, user="admin", host_key_alias=ip, key_file=key, known_hosts=(known_hosts,)
        )
        adapter = EngineAdapter(endpoint, connect_timeout=10, request_timeout=60)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.mount(BASE, adapter)

    def get(self, path: str) -> Any:
        """The answer to a GET."""
        return self._json(self._session.get(BASE + path))

    def post(self, path: str, body: Any) -> Any:
        """The answer to a POST of JSON."""
        return self._json(self._session.post(BASE + path, json=body))

    def swarm(self) -> Swarm:
        """The Swarm as this manager sees it."""
        return parse_swarm({kind: self.get(f"/{kind}") for kind in ("nodes", "services", "tasks")})

    @staticmethod
    def _json(answer: requests.Response) -> Any:
        if not answer.ok:
            raise RuntimeError(f"{answer.request.method} {answer.url}: {answer.text}")
        return answer.json() if answer.content else None


@dataclass(frozen=True)
class RecordedStack:
    """The Engine's JSON of a deployed stack, to deploy it again in another Swarm."""

    networks: tuple[Mapping[str, Any], ...]
    configs: tuple[Mapping[str, Any], ...]
    secrets: tuple[Mapping[str, Any], ...]
    services: tuple[Mapping[str, Any], ...]
    labels: Mapping[str, Mapping[str, str]]  # the nodes' labels, by hostname


def record(engine: docker.DockerClient) -> RecordedStack:
    """Read a deployed stack from a manager."""
    api: Any = engine.api  # the stubs leave some of its methods untyped
    return RecordedStack(
        networks=tuple(
            n for n in api.networks(filters={"driver": "overlay"}) if n["Name"] != "ingress"
        ),
        configs=tuple(api.configs()),
        secrets=tuple(api.secrets()),
        services=tuple(api.services()),
        labels={n["Description"]["Hostname"]: n["Spec"]["Labels"] for n in api.nodes()},
    )


def lab_up(client: docker.DockerClient, mirror: str) -> None:
    """Load moto in another process, and start the image mirror."""
    process = subprocess.Popen(
        [sys.executable, "-c", MOTO], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    container = client.containers.run(mirror, detach=True)
    assert process.stdout
    process.stdout.readline()
    process.kill()
    process.wait()
    container.remove(force=True, v=True)


def provision(ec2: EC2Client, names: list[str], cidr: str, work: Path) -> list[Node]:
    """Create VPC, security group, key, launch template and instances; wait until all run."""
    vpc = ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    subnets = []
    for number, zone in enumerate(ZONES):
        block = cidr.replace(".0.0/16", f".{number}.0/24")
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=block, AvailabilityZone=zone)
        subnets.append(subnet["Subnet"]["SubnetId"])
        ec2.associate_route_table(RouteTableId=table, SubnetId=subnets[-1])
    group = ec2.create_security_group(GroupName="floor", Description="floor", VpcId=vpc)["GroupId"]
    members: IpPermissionTypeDef = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group}]}
    operator: IpPermissionTypeDef = {
        "IpProtocol": "tcp",
        "FromPort": 0,
        "ToPort": 65535,
        "IpRanges": [{"CidrIp": f"{OPERATOR}/32"}],
    }
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[members, operator])
    key, public = new_key(work)
    ec2.import_key_pair(KeyName="floor", PublicKeyMaterial=public)
    template = ec2.create_launch_template(
        LaunchTemplateName="floor",
        LaunchTemplateData={
            "ImageId": GOLDEN_AMI,
            "InstanceType": "t3.small",
            "KeyName": "floor",
            "UserData": base64.b64encode(b"#!/bin/sh\ntrue\n").decode(),
        },
    )["LaunchTemplate"]["LaunchTemplateId"]

    def run(numbered: tuple[int, str]) -> str:
        number, name = numbered
        answer = ec2.run_instances(
            LaunchTemplate={"LaunchTemplateId": template},
            MinCount=1,
            MaxCount=1,
            NetworkInterfaces=[
                {"DeviceIndex": 0, "SubnetId": subnets[number % 3], "Groups": [group]}
            ],
            TagSpecifications=[
                {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}
            ],
        )
        return answer["Instances"][0]["InstanceId"]

    ids = in_parallel(run, enumerate(names))
    addresses = wait_for("the instances", lambda: _running(ec2, ids), timeout=300, interval=0.2)
    known_hosts = work / "known_hosts"
    known_hosts.write_text("".join(in_parallel(known_hosts_line, addresses)))
    engines = in_parallel(lambda ip: Engine(ip, key, known_hosts), addresses)
    return [Node(*four) for four in zip(names, ids, addresses, engines, strict=True)]


def bootstrap(nodes: list[Node], managers: int, stack: RecordedStack) -> None:
    """Init the Swarm, join and label all nodes; wait until every node is ready."""
    first = nodes[0]
    in_parallel(_wait_for_engine, nodes)
    first.engine.post("/swarm/init", {"ListenAddr": "0.0.0.0:2377", "AdvertiseAddr": first.ip})
    tokens = first.engine.get("/swarm")["JoinTokens"]

    def join(numbered: tuple[int, Node]) -> None:
        number, node = numbered
        role = "Manager" if number < managers else "Worker"
        body = {
            "ListenAddr": "0.0.0.0:2377",
            "AdvertiseAddr": node.ip,
            "RemoteAddrs": [f"{first.ip}:2377"],
            "JoinToken": tokens[role],
        }
        node.engine.post("/swarm/join", body)

    for node in list(enumerate(nodes))[1:managers]:
        join(node)  # one by one, as managers must
    in_parallel(join, list(enumerate(nodes))[max(1, managers) :])
    by_ip = {node.ip: node.name for node in nodes}

    def label(raw: Mapping[str, Any]) -> None:
        name = by_ip[raw["Status"]["Addr"]]
        spec = {**raw["Spec"], "Labels": stack.labels.get(name, {})}
        first.engine.post(f"/nodes/{raw['ID']}/update?version={raw['Version']['Index']}", spec)

    def all_ready() -> tuple[bool | None, str]:
        states = [n["Status"]["State"] for n in first.engine.get("/nodes")]
        good = states.count("ready") == len(nodes)
        return (True if good else None), str(states)

    wait_for("all nodes", all_ready, timeout=120, interval=0.1)
    in_parallel(label, first.engine.get("/nodes"))


def deploy(manager: Engine, stack: RecordedStack) -> None:
    """Create networks, configs, secrets and services; wait until every replica runs."""
    ids: dict[str, str] = {}
    for network in stack.networks:
        body = {k: network[k] for k in ("Name", "Driver", "Attachable", "Labels", "Options")}
        ids[network["Id"]] = manager.post("/networks/create", body)["Id"]
    for config in stack.configs:
        spec = {k: config["Spec"][k] for k in ("Name", "Labels", "Data")}
        ids[config["ID"]] = manager.post("/configs/create", spec)["ID"]
    for secret in stack.secrets:
        data = base64.b64encode(secrets.token_hex(16).encode()).decode()
        spec = {"Name": secret["Spec"]["Name"], "Labels": {}, "Data": data}
        ids[secret["ID"]] = manager.post("/secrets/create", spec)["ID"]
    for service in stack.services:
        manager.post("/services/create", _renamed(service["Spec"], ids))
    wait_for("all replicas", lambda: _all_serve(manager), timeout=300, interval=0.1)


def second_run(ec2: EC2Client, manager: Engine) -> None:
    """Read everything that a second run has to compare."""
    ec2.describe_vpcs()
    ec2.describe_subnets()
    ec2.describe_route_tables()
    ec2.describe_security_groups()
    ec2.describe_key_pairs()
    ec2.describe_launch_template_versions(LaunchTemplateName="floor")
    ec2.describe_instances()
    for path in ("/swarm", "/nodes", "/services", "/tasks", "/networks", "/configs", "/secrets"):
        manager.get(path)


def lose(
    ec2: EC2Client, manager: Engine, victim: Node, clock: Callable[[], float]
) -> tuple[float, float]:
    """Stop a node's instance.

    Returns:
        Seconds until the manager reports it down, and until every replica serves on live nodes.
    """
    started = clock()
    ec2.stop_instances(InstanceIds=[victim.instance])

    def down() -> tuple[bool | None, str]:
        states = {n.address: n.state for n in manager.swarm().nodes}
        return (True if states[victim.ip] == "down" else None), str(states)

    wait_for("the node to be down", down, timeout=120, interval=0.1)
    detected = clock() - started
    wait_for("all replicas", lambda: _all_serve(manager), timeout=300, interval=0.1)
    return detected, clock() - started


def new_key(work: Path) -> tuple[Path, bytes]:
    """A key pair: the private key's file and the public key."""
    path = work / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    return path, path.with_suffix(".pub").read_bytes()


def known_hosts_line(ip: str) -> str:
    """A line of known_hosts; the key is trusted at the first contact."""
    with paramiko.Transport((ip, 22)) as transport:
        transport.start_client(timeout=10)
        key = transport.get_remote_server_key()
        return f"{ip} {key.get_name()} {key.get_base64()}\n"


def in_parallel(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """``map`` in sixteen threads."""
    with ThreadPoolExecutor(16) as pool:
        return list(pool.map(work, items))


def _running(ec2: EC2Client, ids: list[str]) -> tuple[list[str] | None, str]:
    found = {
        i["InstanceId"]: i
        for r in ec2.describe_instances(InstanceIds=ids)["Reservations"]
        for i in r["Instances"]
    }
    states = [found[i]["State"]["Name"] for i in ids]
    done = set(states) == {"running"}
    return ([found[i]["PrivateIpAddress"] for i in ids] if done else None), str(states)


def _wait_for_engine(node: Node) -> None:
    def answers() -> tuple[bool | None, str]:
        try:
            node.engine.get("/info")
        except (requests.RequestException, RuntimeError) as error:
            return None, str(error)
        return True, ""

    wait_for(f"the Engine of {node.name}", answers, timeout=60, interval=0.1)


def _all_serve(manager: Engine) -> tuple[bool | None, str]:
    swarm = manager.swarm()
    counts = {s.name: (len(swarm.serving(s)), s.replicas) for s in swarm.services}
    return (True if all(a == b for a, b in counts.values()) else None), str(counts)


def _renamed(value: Any, ids: Mapping[str, str]) -> Any:
    """A recorded spec with the ids of the recorded objects replaced by those of the new ones."""
    match value:
        case dict():
            return {k: _renamed(v, ids) for k, v in value.items()}
        case list():
            return [_renamed(v, ids) for v in value]
        case str():
            return ids.get(value, value)
    return value
