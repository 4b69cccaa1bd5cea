"""A load balancer of a served API, without machines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.unit.lab.conftest import KEY_ID, SECRET

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

NOT_FOUND = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}


@pytest.fixture(scope="session")
def elb(endpoint: str) -> Any:
    return boto3.client(
        "elbv2",
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
    )


@pytest.fixture(scope="session")
def vpc(ec2: EC2Client) -> str:
    return ec2.create_vpc(CidrBlock="10.45.0.0/16")["Vpc"]["VpcId"]


@pytest.fixture(scope="session")
def subnets(ec2: EC2Client, vpc: str) -> list[str]:
    return [
        ec2.create_subnet(
            VpcId=vpc, CidrBlock=f"10.45.{n}.0/24", AvailabilityZone=f"eu-central-1{zone}"
        )["Subnet"]["SubnetId"]
        for n, zone in ((1, "a"), (2, "b"), (3, "c"))
    ]


@pytest.fixture
def balancer(elb: Any, subnets: list[str]) -> Iterator[dict[str, Any]]:
    (made,) = elb.create_load_balancer(Name="app", Subnets=subnets[:2])["LoadBalancers"]
    yield made
    elb.delete_load_balancer(LoadBalancerArn=made["LoadBalancerArn"])


@pytest.fixture
def listener(elb: Any, balancer: dict[str, Any]) -> str:
    (made,) = elb.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"],
        Protocol="HTTP",
        Port=80,
        DefaultActions=[NOT_FOUND],
    )["Listeners"]
    return str(made["ListenerArn"])


@pytest.fixture
def group(elb: Any, vpc: str, balancer: dict[str, Any]) -> Iterator[str]:
    (made,) = elb.create_target_group(Name="web", Protocol="HTTP", Port=80, VpcId=vpc)[
        "TargetGroups"
    ]
    arn = made["TargetGroupArn"]
    yield arn
    for listener in elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])[
        "Listeners"
    ]:
        elb.delete_listener(ListenerArn=listener["ListenerArn"])
    elb.delete_target_group(TargetGroupArn=arn)
