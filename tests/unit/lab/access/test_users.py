"""Users of IAM may do in the lab what the policies of docs/iam allow, resource by resource."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from swarmctl.lab.api import GOLDEN_AMI
from tests.unit.iam.filled import make_user
from tests.unit.lab.conftest import KEY_ID, SECRET

REGION = "eu-central-1"
TRUST = '{"Version": "2012-10-17", "Statement": []}'


class Account:
    """Two clusters of one instance each, and users with policies for the first."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._operator = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET}
        self.ec2, self.iam = self.client("ec2"), self.client("iam")
        self.subnets, self.instances = {}, {}
        for cluster, network in (("mine", 47), ("foreign", 48)):
            vpc = self.ec2.create_vpc(CidrBlock=f"10.{network}.0.0/16")["Vpc"]["VpcId"]
            made = self.ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.{network}.1.0/24")
            self.subnets[cluster] = made["Subnet"]["SubnetId"]
            self.tag(vpc, cluster)
            self.tag(self.subnets[cluster], cluster)
            self.instances[cluster] = self.run(self.ec2, cluster, cluster)

    def client(self, service: str, key: dict[str, str] | None = None) -> Any:
        key = key or self._operator
        return boto3.client(  # type: ignore[call-overload]  # its name is not known to mypy
            service,
            endpoint_url=self._endpoint,
            region_name=REGION,
            aws_access_key_id=key["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=key["AWS_SECRET_ACCESS_KEY"],
        )

    def tag(self, what: str, cluster: str) -> None:
        tags = [{"Key": "swarmctl:cluster", "Value": cluster}]
        self.ec2.create_tags(Resources=[what], Tags=tags)

    def run(self, ec2: Any, subnet: str, cluster: str, **more: Any) -> str:
        tags = [{"Key": "swarmctl:cluster", "Value": cluster}]
        kinds = ("instance", "volume")
        return str(
            ec2.run_instances(
                MinCount=1,
                MaxCount=1,
                ImageId=GOLDEN_AMI,
                SubnetId=self.subnets[subnet],
                TagSpecifications=[{"ResourceType": kind, "Tags": tags} for kind in kinds],
                **more,
            )["Instances"][0]["InstanceId"]
        )


@pytest.fixture(scope="module")
def account(endpoint: str) -> Iterator[Account]:
    made = Account(endpoint)
    yield made
    made.ec2.terminate_instances(InstanceIds=list(made.instances.values()))


@pytest.fixture(scope="module")
def key(account: Account) -> dict[str, str]:
    """Of one who provisions."""
    return make_user(account.iam, "builder", REGION, "mine", "read", "provision", "options")


@pytest.fixture(scope="module")
def ec2(account: Account, key: dict[str, str]) -> Any:
    return account.client("ec2", key)


def refused(call: Any, *words: Any, **more: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(*words, **more)
    assert caught.value.response["Error"]["Code"] in ("UnauthorizedOperation", "AccessDenied")
    return str(caught.value)


def test_the_caller_is_the_user(account: Account, key: dict[str, str]) -> None:
    arn = account.client("sts", key).get_caller_identity()["Arn"]
    assert arn == "arn:aws:iam::123456789012:user/builder"


def test_experiments_stop_this_clusters_instances_and_no_others(account: Account) -> None:
    """Broken: who may stop a worker of one cluster may stop every machine of the account."""
    tester = make_user(account.iam, "tester", REGION, "mine", "read", "chaos")
    ec2 = account.client("ec2", tester)
    text = refused(ec2.stop_instances, InstanceIds=[account.instances["foreign"]])
    assert "user/tester is not authorized to perform: ec2:StopInstances on resource: arn:" in text
    both = list(account.instances.values())
    refused(ec2.terminate_instances, InstanceIds=both)
    refused(ec2.reboot_instances, InstanceIds=["i-0123456789abcdef0"])  # one that does not exist
    assert ec2.stop_instances(InstanceIds=[account.instances["mine"]])["StoppingInstances"]


def test_who_reads_changes_nothing(account: Account) -> None:
    reader = make_user(account.iam, "reader", REGION, "mine", "read")
    ec2 = account.client("ec2", reader)
    assert len(ec2.describe_instances()["Reservations"]) >= 2
    refused(ec2.start_instances, InstanceIds=[account.instances["mine"]])
    refused(account.client("iam", reader).create_access_key, UserName="builder")


def test_a_machine_is_made_with_the_tag_and_in_the_network_of_the_cluster(
    account: Account, ec2: Any
) -> None:
    """Broken: the tag in a request opens what exists, or every subnet is open."""
    assert "ec2:RunInstances" in refused(account.run, ec2, "foreign", "mine")
    assert "ec2:RunInstances" in refused(account.run, ec2, "mine", "foreign")
    made = account.run(ec2, "mine", "mine")
    ec2.terminate_instances(InstanceIds=[made])


def test_what_is_in_a_launch_template_is_judged_when_it_is_used(ec2: Any) -> None:
    """https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/permissions-for-launch-templates.html"""
    tags = [{"Key": "swarmctl:cluster", "Value": "mine"}]
    data = {"ImageId": GOLDEN_AMI, "KeyName": "foreign"}
    tagged = [{"ResourceType": "launch-template", "Tags": tags}]
    make = {"LaunchTemplateName": "mine_nodes", "LaunchTemplateData": data}
    refused(ec2.create_launch_template, **make)
    ec2.create_launch_template(**make, TagSpecifications=tagged)
    use = {"LaunchTemplate": {"LaunchTemplateName": "mine_nodes"}, "MinCount": 1, "MaxCount": 1}
    assert ":key-pair/foreign" in refused(ec2.run_instances, **use)
    ec2.delete_launch_template(LaunchTemplateName="mine_nodes")


def test_what_is_another_clusters_cannot_be_taken_over(account: Account, ec2: Any) -> None:
    tags = [{"Key": "swarmctl:cluster", "Value": "mine"}]
    refused(ec2.create_tags, Resources=[account.instances["foreign"]], Tags=tags)
    away = [{"Key": "swarmctl:cluster", "Value": "foreign"}]
    refused(ec2.create_tags, Resources=[account.instances["mine"]], Tags=away)
    ec2.create_tags(Resources=[account.instances["mine"]], Tags=[{"Key": "Name", "Value": "x"}])


def test_a_foreign_role_cannot_be_given_to_a_machine(account: Account, ec2: Any) -> None:
    """Broken: who provisions has the rights of every role that EC2 may use."""
    for name in ("mine_eu-central-1_manager", "admin"):
        account.iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
        account.iam.create_instance_profile(InstanceProfileName=name)
        account.iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
    text = refused(account.run, ec2, "mine", "mine", IamInstanceProfile={"Name": "admin"})
    assert "iam:PassRole on resource: arn:aws:iam::123456789012:role/admin" in text
    own = {"Name": "mine_eu-central-1_manager"}
    ec2.terminate_instances(InstanceIds=[account.run(ec2, "mine", "mine", IamInstanceProfile=own)])


def test_a_key_that_was_made_inactive_opens_nothing(account: Account) -> None:
    made = make_user(account.iam, "former", REGION, "mine", "read")
    account.iam.update_access_key(
        UserName="former", AccessKeyId=made["AWS_ACCESS_KEY_ID"], Status="Inactive"
    )
    with pytest.raises(ClientError, match="AuthFailure"):
        account.client("ec2", made).describe_instances()
