"""A network interface of one's own keeps its address when its instance is replaced, as on EC2."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from swarmctl.lab.api import GOLDEN_AMI, Api

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import TagTypeDef


@pytest.fixture(scope="module")
def subnet(ec2: "EC2Client") -> str:
    vpc = ec2.create_vpc(CidrBlock="10.46.0.0/16")["Vpc"]["VpcId"]
    zone = "eu-central-1b"
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.46.1.0/24", AvailabilityZone=zone)
    return made["Subnet"]["SubnetId"]


@pytest.fixture
def interface(ec2: "EC2Client", subnet: str) -> Iterator[str]:
    made = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]
    yield made["NetworkInterfaceId"]
    for each in ec2.describe_network_interfaces(NetworkInterfaceIds=[made["NetworkInterfaceId"]])[
        "NetworkInterfaces"
    ]:
        if each["Status"] == "available":
            ec2.delete_network_interface(NetworkInterfaceId=each["NetworkInterfaceId"])


def run(ec2: "EC2Client", interface: str, template: str = "") -> str:
    chosen = {"LaunchTemplate": {"LaunchTemplateName": template}} if template else {}
    made = ec2.run_instances(
        ImageId=GOLDEN_AMI,
        MinCount=1,
        MaxCount=1,
        NetworkInterfaces=[{"DeviceIndex": 0, "NetworkInterfaceId": interface}],
        **chosen,  # type: ignore[arg-type]  # a dict of one known key
    )
    return made["Instances"][0]["InstanceId"]


def address(ec2: "EC2Client", interface: str) -> str:
    found = ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])
    return found["NetworkInterfaces"][0]["PrivateIpAddress"]


def end(api: Api, ec2: "EC2Client", instance: str) -> None:
    ec2.terminate_instances(InstanceIds=[instance])
    api.move(instance, "terminated", was="shutting-down")


def test_an_instance_has_the_address_zone_network_and_groups_of_its_interface(
    api: Api, ec2: "EC2Client", interface: str, subnet: str
) -> None:
    instance = run(ec2, interface)
    found = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert found["PrivateIpAddress"] == address(ec2, interface)
    assert found["SubnetId"] == subnet
    own = ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"][0]
    assert found["SecurityGroups"] == own["Groups"] != []
    assert found["Placement"]["AvailabilityZone"] == "eu-central-1b"
    assert "PublicIpAddress" not in found
    end(api, ec2, instance)


def test_a_replaced_instance_gets_the_same_address(
    api: Api, ec2: "EC2Client", interface: str
) -> None:
    first = run(ec2, interface)
    ec2.terminate_instances(InstanceIds=[first])
    with pytest.raises(ClientError, match=r"InvalidNetworkInterface\.InUse"):
        run(ec2, interface)  # until the machine is gone
    api.move(first, "terminated", was="shutting-down")
    second = run(ec2, interface)
    seen = {i.id: i for i in api.view().instances}
    assert seen[second].ip == address(ec2, interface)
    end(api, ec2, second)


def test_no_other_instance_gets_the_address_of_an_interface(
    api: Api, ec2: "EC2Client", interface: str, subnet: str
) -> None:
    instance = run(ec2, interface)
    end(api, ec2, instance)
    made = ec2.run_instances(ImageId=GOLDEN_AMI, MinCount=1, MaxCount=1, SubnetId=subnet)
    other = made["Instances"][0]
    assert other["PrivateIpAddress"] != address(ec2, interface)
    with pytest.raises(ClientError, match=r"InvalidIPAddress\.InUse"):
        ec2.create_network_interface(SubnetId=subnet, PrivateIpAddress=address(ec2, interface))
    end(api, ec2, other["InstanceId"])


def test_an_interface_in_use_cannot_be_deleted(api: Api, ec2: "EC2Client", interface: str) -> None:
    instance = run(ec2, interface)
    with pytest.raises(ClientError, match="currently in use"):
        ec2.delete_network_interface(NetworkInterfaceId=interface)
    end(api, ec2, instance)


def test_a_deleted_interface_gives_back_its_address(ec2: "EC2Client", subnet: str) -> None:
    first = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]
    ec2.delete_network_interface(NetworkInterfaceId=first["NetworkInterfaceId"])
    wanted = first["PrivateIpAddress"]
    made = ec2.create_network_interface(SubnetId=subnet, PrivateIpAddress=wanted)
    assert made["NetworkInterface"]["PrivateIpAddress"] == wanted
    ec2.delete_network_interface(NetworkInterfaceId=made["NetworkInterface"]["NetworkInterfaceId"])


def test_a_template_that_tags_interfaces_needs_a_new_one(ec2: "EC2Client", interface: str) -> None:
    tags: Sequence[TagTypeDef] = [{"Key": "a", "Value": "b"}]
    ec2.create_launch_template(
        LaunchTemplateName="tagging",
        LaunchTemplateData={
            "TagSpecifications": [{"ResourceType": "network-interface", "Tags": tags}]
        },
    )
    with pytest.raises(ClientError, match="no network interfaces being created"):
        run(ec2, interface, "tagging")


def test_an_elastic_ip_stays_with_the_interface_and_is_no_way_to_the_machine(
    api: Api, ec2: "EC2Client", interface: str
) -> None:
    tags: Sequence[TagTypeDef] = [{"Key": "a", "Value": "b"}]
    made = ec2.allocate_address(
        Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": tags}]
    )
    assert ec2.describe_tags(Filters=[{"Name": "resource-type", "Values": ["elastic-ip"]}])["Tags"]
    ec2.associate_address(AllocationId=made["AllocationId"], NetworkInterfaceId=interface)
    instance = run(ec2, interface)
    found = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert "PublicIpAddress" not in found
    end(api, ec2, instance)
    known = ec2.describe_addresses(AllocationIds=[made["AllocationId"]])["Addresses"][0]
    assert known["NetworkInterfaceId"] == interface
    ec2.release_address(AllocationId=made["AllocationId"])
