"""A load balancer for the shared Swarm, three services behind it, and an eye on its targets."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swarmctl.reading.times import unix_time
from swarmctl.wait import wait_for
from tests.lab.helpers.agent import endpoints
from tests.lab.support import CLUSTER, Lab

Place = tuple[str, int]  # an instance's id and a port

COMPOSE = """\
x-service: &service
  image: httpd:2.4
  ports: [{target: 80, mode: host}]
  stop_grace_period: 5s
  healthcheck: {test: "bash -c '</dev/tcp/127.0.0.1/80'", interval: 1s, retries: 3}
services:
"""
SERVICE = """\
  %(name)s:
    <<: *service
    configs: [{source: %(name)s, target: /usr/local/apache2/htdocs/index.html}]
    deploy:
      replicas: %(replicas)d
      placement: {constraints: [node.role == worker]}
      restart_policy: {delay: 1s}
      labels:
        swarmctl.http.path: %(path)s
        swarmctl.http.deregistration-delay: 5s
        swarmctl.http.health-interval: 5s
"""
PATHS = {"auth": "/auth, /auth/*", "web": "/*", "service": "/service, /service/*"}


def write_stack(folder: Path, **replicas: int) -> str:
    """A compose file with these services; returns its path."""
    text = COMPOSE
    for name, count in replicas.items():
        text += SERVICE % {"name": name, "replicas": count, "path": PATHS[name]}
        if PATHS[name] != "/*":
            text += f"        swarmctl.http.strip-prefix: /{name}\n"
        (folder / f"{name}.html").write_text(f"{name}\n")
    text += "configs:\n" + "".join(f"  {n}: {{file: ./{n}.html}}\n" for n in replicas)
    path = folder / "docker-compose.yml"
    path.write_text(text)
    return str(path)


@dataclass
class Balancer:
    """The cluster's load balancer."""

    elb: Any
    address: str

    def groups(self) -> dict[str, str]:
        """The cluster's target groups (ARNs) by service."""
        found = {}
        for group in self.elb.describe_target_groups()["TargetGroups"]:
            arn = group["TargetGroupArn"]
            described = self.elb.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]
            tags = {tag["Key"]: tag["Value"] for tag in described["Tags"]}
            if tags.get("swarmctl:cluster") == CLUSTER:
                found[tags["swarmctl:service"]] = str(arn)
        return found

    def targets(self) -> dict[str, set[Place]]:
        """The registered targets of each service, without those that drain."""
        return {service: self.targets_of(arn) for service, arn in self.groups().items()}

    def targets_of(self, arn: str) -> set[Place]:
        """Those of one group."""
        health = self.elb.describe_target_health(TargetGroupArn=arn)
        return {
            (each["Target"]["Id"], each["Target"]["Port"])
            for each in health["TargetHealthDescriptions"]
            if each["TargetHealth"]["State"] != "draining"
        }


@contextmanager
def load_balancer(lab: Lab) -> Iterator[Balancer]:
    """A load balancer of the cluster's, made for the test."""
    elb = lab.client("elbv2")
    nodes = _nodes(lab)
    vpc = nodes[0]["VpcId"]
    tag = [{"Key": "swarmctl:cluster", "Value": CLUSTER}]
    with ExitStack() as undo:
        group = lab.ec2.create_security_group(
            GroupName="test_alb", Description="test", VpcId=vpc
        )["GroupId"]  # fmt: skip
        undo.callback(lab.ec2.delete_security_group, GroupId=group)
        lab.ec2.authorize_security_group_ingress(
            GroupId=group, IpProtocol="tcp", FromPort=80, ToPort=80, CidrIp="0.0.0.0/0"
        )
        for own in {g["GroupId"] for node in nodes for g in node["SecurityGroups"]}:
            rule = _from_load_balancer(own, group)
            lab.ec2.authorize_security_group_ingress(**rule)
            undo.callback(lab.ec2.revoke_security_group_ingress, **rule)
        subnets = lab.ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
        by_zone = {each["AvailabilityZone"]: each["SubnetId"] for each in subnets["Subnets"]}
        arn = elb.create_load_balancer(
            Name="test", Subnets=list(by_zone.values()), SecurityGroups=[group], Tags=tag
        )["LoadBalancers"][0]["LoadBalancerArn"]
        undo.callback(elb.delete_load_balancer, LoadBalancerArn=arn)
        nothing = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
        elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[nothing])
        yield Balancer(elb, _active(elb, arn))


def _nodes(lab: Lab) -> list[dict[str, Any]]:
    found = lab.ec2.describe_instances(
        Filters=[
            {"Name": "tag:swarmctl:cluster", "Values": [CLUSTER]},
            {"Name": "instance-state-name", "Values": ["running"]},
        ]
    )
    return [dict(i) for r in found["Reservations"] for i in r["Instances"]]


def _from_load_balancer(own: str, group: str) -> dict[str, Any]:
    """The rule with which nodes of the group ``own`` may be reached."""
    rule = {
        "IpProtocol": "tcp", "FromPort": 32768, "ToPort": 60999,
        "UserIdGroupPairs": [{"GroupId": group}],
    }  # fmt: skip
    return {"GroupId": own, "IpPermissions": [rule]}


def _active(elb: Any, arn: str) -> str:
    def active() -> tuple[str | None, str]:
        found = elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"][0]
        state = found["State"]["Code"]
        return (found["DNSName"] if state == "active" else None), f"it is {state}"

    return wait_for("the load balancer to be active", active, timeout=120)


@dataclass
class Watch:
    """When each target was seen first and last (Unix time), from a thread."""

    balancer: Balancer
    first: dict[Place, float] = field(default_factory=dict)
    gone: dict[Place, float] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Watch:
        """Begin."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stop.set()
        self._thread.join(20)

    def _run(self) -> None:
        there: set[Place] = set()
        groups = self.balancer.groups().values()
        while not self._stop.wait(0.5):  # the account may read ten times a second, the agent too
            asked = [(self.balancer.targets_of(arn), time.time()) for arn in groups]
            now = {place for places, _ in asked for place in places}
            seen_at = asked[-1][1]
            for place in now - there:
                self.first[place] = seen_at
            for place in there - now:
                self.gone[place] = seen_at
            there = now


def serving_targets(lab: Lab, *services: str) -> dict[Place, float]:
    """The targets that services should have, read from the Swarm; since when (Unix time)."""
    ids = {i["PrivateIpAddress"]: str(i["InstanceId"]) for i in _nodes(lab)}
    return {
        (ids.get(e["address"], ""), e["port"]): unix_time(e["since"])
        for service in services
        for e in endpoints(lab, service)
    }
