"""The lab's AWS API behaves as EC2 does where moto alone would not."""

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from swarmctl.lab.api import GOLDEN_AMI, Api, Ec2Instance
from tests.unit.lab.conftest import TAKEN

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import FilterTypeDef, IpPermissionTypeDef


@pytest.fixture(scope="module")
def subnet(ec2: "EC2Client") -> str:
    vpc = ec2.create_vpc(CidrBlock="10.42.0.0/16")["Vpc"]["VpcId"]
    return ec2.create_subnet(VpcId=vpc, CidrBlock="10.42.1.0/24")["Subnet"]["SubnetId"]


@pytest.fixture
def instance(ec2: "EC2Client", subnet: str) -> Iterator[str]:
    run = ec2.run_instances(
        ImageId=GOLDEN_AMI,
        MinCount=1,
        MaxCount=1,
        UserData="#!/bin/sh\necho hello\n",
        NetworkInterfaces=[
            {
                "DeviceIndex": 0,
                "SubnetId": subnet,
                "AssociatePublicIpAddress": True,
                "DeleteOnTermination": True,
            }
        ],
    )
    yield run["Instances"][0]["InstanceId"]
    ec2.terminate_instances(InstanceIds=[run["Instances"][0]["InstanceId"]])


def seen(api: Api, instance: str) -> Ec2Instance:
    return next(i for i in api.view().instances if i.id == instance)


def state(ec2: "EC2Client", instance: str) -> str:
    found = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    return found["State"]["Name"]


def test_an_instance_is_pending_until_its_machine_runs(
    api: Api, ec2: "EC2Client", instance: str
) -> None:
    assert state(ec2, instance) == "pending"
    api.move(instance, "running", was="pending")
    assert state(ec2, instance) == "running"


def test_a_stopped_instance_is_stopping_until_its_machine_is_down(
    api: Api, ec2: "EC2Client", instance: str
) -> None:
    api.move(instance, "running", was="pending")
    ec2.stop_instances(InstanceIds=[instance])
    assert state(ec2, instance) == "stopping"
    assert not seen(api, instance).force_stop
    with pytest.raises(ClientError, match="IncorrectInstanceState"):
        ec2.start_instances(InstanceIds=[instance])
    api.move(instance, "stopped", was="stopping")
    ec2.start_instances(InstanceIds=[instance])
    assert state(ec2, instance) == "pending"


def test_the_address_of_a_stopped_instance_is_nobodys(
    api: Api, ec2: "EC2Client", instance: str
) -> None:
    """Broken: who takes its address gets the key of its role."""
    known = seen(api, instance)
    api.move(instance, "running", was="pending")
    assert api.facts_at(known.vpc, known.ip) is not None
    ec2.stop_instances(InstanceIds=[instance])
    api.move(instance, "stopped", was="stopping")
    assert api.facts_at(known.vpc, known.ip) is None
    ec2.start_instances(InstanceIds=[instance])
    assert api.facts_at(known.vpc, known.ip) is not None


def test_a_forced_stop_is_told_to_the_machine(api: Api, ec2: "EC2Client", instance: str) -> None:
    api.move(instance, "running", was="pending")
    ec2.stop_instances(InstanceIds=[instance], Force=True)
    assert seen(api, instance).force_stop


def test_a_terminated_instance_cannot_be_started(api: Api, ec2: "EC2Client", instance: str) -> None:
    ec2.terminate_instances(InstanceIds=[instance])
    assert state(ec2, instance) == "shutting-down"
    api.move(instance, "terminated", was="shutting-down")
    with pytest.raises(ClientError, match="IncorrectInstanceState"):
        ec2.start_instances(InstanceIds=[instance])


def test_a_request_in_between_is_not_overwritten(api: Api, ec2: "EC2Client", instance: str) -> None:
    ec2.terminate_instances(InstanceIds=[instance])
    api.move(instance, "running", was="pending")
    assert state(ec2, instance) == "shutting-down"


def test_an_instance_that_cannot_boot_leaves_no_volume(
    api: Api, ec2: "EC2Client", instance: str
) -> None:
    mine: list[FilterTypeDef] = [{"Name": "attachment.instance-id", "Values": [instance]}]
    assert len(ec2.describe_volumes(Filters=mine)["Volumes"]) == 1
    api.move(instance, "terminated", was="pending", reason="Server.InternalError: no network")
    assert ec2.describe_volumes(Filters=mine)["Volumes"] == []
    (found,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"]
    assert "no network" in found["Instances"][0]["StateTransitionReason"]


def test_a_machines_output_cannot_break_an_answer(
    api: Api, ec2: "EC2Client", instance: str
) -> None:
    noise = "\x1b[1;31mFailed\x1b[0m to allocate\x00 manager: <Too many open files>\r\n" * 99
    api.move(instance, "terminated", was="pending", reason=f"Server.InternalError: {noise}")
    (found,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"]
    reason = found["Instances"][0]["StateReason"]
    assert reason["Code"] == "Server.InternalError"
    assert reason["Message"].startswith(
        "Server.InternalError: Failed to allocate manager: <Too many open files> Failed"
    )
    assert len(reason["Message"]) == 250


def test_a_requested_stop_is_no_error_of_the_server(
    api: Api, ec2: "EC2Client", instance: str
) -> None:
    api.move(instance, "running", was="pending")
    api.move(instance, "stopped", was="running", reason="Instance initiated")
    (found,) = ec2.describe_instances(InstanceIds=[instance])["Reservations"]
    assert found["Instances"][0]["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_an_instance_that_ran_once_has_something_to_lose(
    api: Api, ec2: "EC2Client", instance: str
) -> None:
    assert not seen(api, instance).launched
    api.move(instance, "running", was="pending")
    ec2.stop_instances(InstanceIds=[instance])
    api.move(instance, "stopped", was="stopping")
    assert seen(api, instance).launched


def test_addresses_that_are_taken_on_this_computer_are_refused_at_once(ec2: "EC2Client") -> None:
    with pytest.raises(ClientError, match=f"{TAKEN} is in use") as caught:
        ec2.create_vpc(CidrBlock=TAKEN)
    assert caught.value.response["Error"]["Code"] == "InvalidVpc.Range"


@pytest.mark.parametrize("cidr", ["10.77.0.1/8", "addresses"])
def test_what_is_no_range_is_refused_as_on_aws(ec2: "EC2Client", cidr: str) -> None:
    with pytest.raises(ClientError, match="Invalid"):
        ec2.create_vpc(CidrBlock=cidr)


def test_two_vpcs_of_a_lab_cannot_share_addresses(ec2: "EC2Client", subnet: str) -> None:
    with pytest.raises(ClientError, match=r"the VPC vpc-\S+ of this lab has 10\.42\.0\.0/16"):
        ec2.create_vpc(CidrBlock="10.42.128.0/17")


def test_more_machines_than_fit_are_refused(ec2: "EC2Client", subnet: str) -> None:
    with pytest.raises(ClientError, match="no room for 21") as caught:
        ec2.run_instances(ImageId=GOLDEN_AMI, MinCount=21, MaxCount=21, SubnetId=subnet)
    assert caught.value.response["Error"]["Code"] == "InsufficientInstanceCapacity"


def test_instances_have_private_addresses_only(api: Api, ec2: "EC2Client", instance: str) -> None:
    found = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert found["PrivateIpAddress"].startswith("10.42.1.")
    assert not found.get("PublicIpAddress")


def test_user_data_reaches_the_machine_as_it_was_given(api: Api, instance: str) -> None:
    assert seen(api, instance).user_data == b"#!/bin/sh\necho hello\n"


def test_the_console_is_the_machines_own(ec2: "EC2Client", instance: str) -> None:
    assert ec2.get_console_output(InstanceId=instance)["Output"] == f"console of {instance}"


def test_esp_can_be_opened_between_group_members(api: Api, ec2: "EC2Client", subnet: str) -> None:
    vpc = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"]
    group = ec2.create_security_group(GroupName="nodes", Description="nodes", VpcId=vpc)["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[{"IpProtocol": "50", "UserIdGroupPairs": [{"GroupId": group}]}],
    )
    permission = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
    assert permission["IpPermissions"][0]["IpProtocol"] == "50"
    (rule,) = api.view().rules[group]
    assert (rule.protocol, rule.group) == ("50", group)


def test_a_changed_description_of_a_rule_is_acknowledged(ec2: "EC2Client", subnet: str) -> None:
    vpc = ec2.describe_subnets(SubnetIds=[subnet])["Subnets"][0]["VpcId"]
    group = ec2.create_security_group(GroupName="doors", Description="doors", VpcId=vpc)["GroupId"]

    def rule(description: str) -> "IpPermissionTypeDef":
        return {
            "IpProtocol": "tcp",
            "FromPort": 22,
            "ToPort": 22,
            "IpRanges": [{"CidrIp": "203.0.113.7/32", "Description": description}],
        }

    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule("a")])
    answer = ec2.update_security_group_rule_descriptions_ingress(
        GroupId=group, IpPermissions=[rule("b")]
    )
    assert answer["Return"] is True


def test_a_launch_templates_own_tags_are_not_given_to_its_instances(ec2: "EC2Client") -> None:
    ec2.create_launch_template(
        LaunchTemplateName="template",
        LaunchTemplateData={"InstanceType": "t3.small"},
        TagSpecifications=[
            {"ResourceType": "launch-template", "Tags": [{"Key": "a", "Value": "b"}]}
        ],
    )
    (version,) = ec2.describe_launch_template_versions(LaunchTemplateName="template")[
        "LaunchTemplateVersions"
    ]
    assert "TagSpecifications" not in version["LaunchTemplateData"]


def test_the_golden_image_is_found_by_its_tag(ec2: "EC2Client") -> None:
    (image,) = ec2.describe_images(
        Owners=["self"], Filters=[{"Name": "tag:swarmctl:ami-family", "Values": ["debian13"]}]
    )["Images"]
    assert image["ImageId"] == GOLDEN_AMI


def test_a_request_that_changes_something_wakes_the_controller(
    ec2: "EC2Client", changed: threading.Event
) -> None:
    changed.clear()
    ec2.create_vpc(CidrBlock="10.43.0.0/16")
    assert changed.is_set()
