"""Two clusters in one region never touch each other."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.lab.support import Lab

pytestmark = pytest.mark.timeout(600)

RED = ("-e", "cluster_name=red", "-e", "vpc_cidr=10.94.0.0/16")
BLUE = ("-e", "cluster_name=blue", "-e", "vpc_cidr=10.95.0.0/16")
SMALL = ("-e", "managers=1", "-e", '{"swarm_node_labels": {}}')


def belongings(lab: Lab, cluster: str) -> dict[str, Any]:
    """Everything of one cluster that another could take: by id, with what it holds."""
    tag: Any = [{"Name": "tag:swarmctl:cluster", "Values": [cluster]}]
    alive: Any = {"Name": "instance-state-name", "Values": ["pending", "running"]}
    reservations = lab.ec2.describe_instances(Filters=[*tag, alive])["Reservations"]
    state = Path(lab.env["SWARMCTL_STATE"]) / "clusters" / cluster
    return {
        "instances": sorted(i["InstanceId"] for r in reservations for i in r["Instances"]),
        "templates": [
            (t["LaunchTemplateId"], t["LaunchTemplateName"], t["LatestVersionNumber"])
            for t in lab.ec2.describe_launch_templates(Filters=tag)["LaunchTemplates"]
        ],
        "keys": [
            (k["KeyPairId"], k["KeyFingerprint"])
            for k in lab.ec2.describe_key_pairs(Filters=tag)["KeyPairs"]
        ],
        "vpcs": [v["VpcId"] for v in lab.ec2.describe_vpcs(Filters=tag)["Vpcs"]],
        "subnets": sorted(s["SubnetId"] for s in lab.ec2.describe_subnets(Filters=tag)["Subnets"]),
        "groups": sorted(
            (g["GroupId"], len(g["IpPermissions"]))
            for g in lab.ec2.describe_security_groups(Filters=tag)["SecurityGroups"]
        ),
        "files": {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in state.glob("*")
            if path.is_file()
        },
    }


@pytest.mark.long
def test_two_clusters_are_made_changed_and_removed_without_touching_each_other(lab: Lab) -> None:
    """Broken: the second cluster takes the first one's key, image or template with it."""
    lab.playbook("provision", *RED, *SMALL, "-e", "workers=0").ok()
    red = belongings(lab, "red")
    assert [len(red[kind]) for kind in ("instances", "templates", "keys", "vpcs")] == [1, 1, 1, 1]
    lab.playbook("provision", *BLUE, *SMALL, "-e", "workers=0").ok()
    blue = belongings(lab, "blue")
    assert belongings(lab, "red") == red

    lab.playbook("provision", *RED, *SMALL, "-e", "workers=1").ok()
    assert belongings(lab, "blue") == blue
    red = belongings(lab, "red")
    assert len(red["instances"]) == 2

    lab.playbook("teardown", *RED, "-e", "confirm=yes").ok()
    assert belongings(lab, "blue") == blue
    assert not any(belongings(lab, "red").values())

    lab.playbook("provision", *RED, *SMALL, "-e", "workers=0").ok()
    red = belongings(lab, "red")
    lab.playbook("teardown", *BLUE, "-e", "confirm=yes").ok()
    assert not any(belongings(lab, "blue").values())
    assert belongings(lab, "red") == red
    lab.playbook("teardown", *RED, "-e", "confirm=yes").ok()
    assert not any(belongings(lab, "red").values())


@pytest.mark.long
@pytest.mark.parametrize("tags", [{}, {"swarmctl:cluster": "blue"}])
def test_a_foreign_launch_template_of_our_name_stops_the_run_unchanged(
    lab: Lab, tags: dict[str, str]
) -> None:
    """Broken: a playbook run replaces what nodes of someone else are created from."""
    pairs = [{"Key": key, "Value": value} for key, value in tags.items()]
    tagged: Any = {"TagSpecifications": [{"ResourceType": "launch-template", "Tags": pairs}]}
    lab.ec2.create_launch_template(
        LaunchTemplateName="red_node_template",
        LaunchTemplateData={"InstanceType": "t3.nano"},
        **(tagged if tags else {}),
    )
    try:
        refused = lab.playbook("provision", *RED, *SMALL, "-e", "workers=0")
        assert refused.code != 0
        assert "does not belong to red" in " ".join(refused.output.split())
        assert belongings(lab, "red")["instances"] == []
        lab.playbook("teardown", *RED, "-e", "confirm=yes").ok()
        (template,) = lab.ec2.describe_launch_templates(LaunchTemplateNames=["red_node_template"])[
            "LaunchTemplates"
        ]
        assert template["LatestVersionNumber"] == 1
    finally:
        lab.ec2.delete_launch_template(LaunchTemplateName="red_node_template")


def test_a_foreign_security_group_of_our_name_stops_the_run_unchanged(lab: Lab) -> None:
    """Broken: in a VPC that others use too, their rules are replaced with ours."""
    vpc = lab.ec2.create_vpc(CidrBlock="10.94.0.0/16")["Vpc"]["VpcId"]
    gateway = lab.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    lab.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    theirs = lab.ec2.create_security_group(GroupName="red_mgr_sg", Description="theirs", VpcId=vpc)[
        "GroupId"
    ]
    try:
        refused = lab.playbook("provision", *RED, *SMALL, "-e", "workers=0", "-e", f"vpc_id={vpc}")
        assert refused.code != 0
        assert f"({theirs}) in {vpc} exists and does not belong to red" in " ".join(
            refused.output.split()
        )
        assert belongings(lab, "red")["instances"] == []
        lab.playbook("teardown", *RED, "-e", "confirm=yes").ok()
        (group,) = lab.ec2.describe_security_groups(GroupIds=[theirs])["SecurityGroups"]
        assert (group["IpPermissions"], group.get("Tags", [])) == ([], [])
    finally:
        lab.ec2.delete_security_group(GroupId=theirs)
        lab.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
        lab.ec2.delete_internet_gateway(InternetGatewayId=gateway)
        lab.ec2.delete_vpc(VpcId=vpc)
