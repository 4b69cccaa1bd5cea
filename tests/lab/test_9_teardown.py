"""Teardown removes everything that was created, and nothing else."""

from typing import Any

import docker
import pytest

from tests.lab.support import CLUSTER, NAME, Cluster, Lab

pytestmark = pytest.mark.timeout(600)


def test_teardown_asks_first(lab: Lab, cluster: Cluster) -> None:
    """Broken: a mistyped command deletes a cluster."""
    refused = lab.playbook("teardown")
    assert refused.code != 0
    assert lab.instance(f"{CLUSTER}_mgr1")["State"]["Name"] == "running"


def test_teardown_leaves_no_resource_and_no_machine(
    lab: Lab, cluster: Cluster, engine: docker.DockerClient
) -> None:
    """Broken: resources remain, and AWS keeps charging for them."""
    foreign = lab.ec2.create_vpc(CidrBlock="10.94.0.0/16")["Vpc"]["VpcId"]
    others = {"swarmctl:cluster": "other", "swarmctl:owner": "discovery"}
    stays = [target_group(lab, "others", foreign, **others), target_group(lab, "untagged", foreign)]
    lab.playbook("provision", "-e", "load_balancer_enabled=true", "--tags", "load_balancer").ok()
    (balancer,) = lab.client("elbv2").describe_load_balancers()["LoadBalancers"]
    agents = {"swarmctl:cluster": CLUSTER, "swarmctl:owner": "discovery"}
    target_group(lab, "agents", balancer["VpcId"], **agents)
    lab.playbook("teardown", "-e", "confirm=yes").ok()
    states = {
        i["State"]["Name"]
        for r in lab.ec2.describe_instances()["Reservations"]
        for i in r["Instances"]
    }
    assert states <= {"terminated"}
    vpcs = {v["VpcId"] for v in lab.ec2.describe_vpcs()["Vpcs"] if not v["IsDefault"]}
    assert vpcs == {foreign}
    names = {g["GroupName"] for g in lab.ec2.describe_security_groups()["SecurityGroups"]}
    assert names == {"default"}
    assert lab.ec2.describe_launch_templates()["LaunchTemplates"] == []
    assert lab.ec2.describe_key_pairs()["KeyPairs"] == []
    volumes = [v for v in lab.ec2.describe_volumes()["Volumes"] if v["State"] != "deleted"]
    assert volumes == []
    for service, call, key in (
        ("elbv2", "describe_load_balancers", "LoadBalancers"),
        ("servicediscovery", "list_namespaces", "Namespaces"),
        ("iam", "list_roles", "Roles"),
        ("iam", "list_instance_profiles", "InstanceProfiles"),
    ):
        assert getattr(lab.client(service), call)()[key] == [], call
    left = lab.client("elbv2").describe_target_groups()["TargetGroups"]
    assert sorted(each["TargetGroupArn"] for each in left) == sorted(stays)
    machines = engine.containers.list(
        all=True, filters={"label": [f"swarmctl.lab={NAME}", "swarmctl.instance"]}
    )
    assert machines == []
    assert lab.playbook("teardown", "-e", "confirm=yes").ok().changed == 0
    for arn in stays:
        lab.client("elbv2").delete_target_group(TargetGroupArn=arn)
    lab.ec2.delete_vpc(VpcId=foreign)


def target_group(lab: Lab, name: str, vpc: str, **tags: str) -> str:
    """Make one; returns its ARN."""
    call: dict[str, Any] = {"Name": name, "Protocol": "HTTP", "Port": 80, "VpcId": vpc}
    if tags:
        call["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
    made = lab.client("elbv2").create_target_group(**call)["TargetGroups"]
    return str(made[0]["TargetGroupArn"])
