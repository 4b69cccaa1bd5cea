"""EC2 instances by tag, and errors said before anything happens."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from swarmctl.cloud.instances import Cloud, CloudError, by_name
from swarmctl.errors import UsageError

REGION = "eu-central-1"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        yield Cloud()


def launch(name: str, cluster: str = "swarm_app", role: str = "worker") -> str:
    tags = {
        "Name": name,
        "swarmctl:cluster": cluster,
        "swarmctl:role": role,
        "swarmctl:ssh-user": "admin",
    }
    answer = boto3.client("ec2").run_instances(
        ImageId="ami-12c6146b",
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[
            {
                "ResourceType": "instance",
                "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
            }
        ],
    )
    return answer["Instances"][0]["InstanceId"]


def test_instances_are_found_by_tag_managers_first_and_in_natural_order(cloud: Cloud) -> None:
    for name in ("swarm_app_wkr10", "swarm_app_wkr9"):
        launch(name)
    launch("swarm_app_mgr1", role="manager")
    launch("other_wkr1", cluster="other")
    gone = launch("swarm_app_wkr1")
    boto3.client("ec2").terminate_instances(InstanceIds=[gone])
    found = cloud.instances("swarm_app")
    assert [i.name for i in found] == ["swarm_app_mgr1", "swarm_app_wkr9", "swarm_app_wkr10"]
    assert {i.ssh_user for i in found} == {"admin"}
    assert found[0].role == "manager"
    assert found[0].address == found[0].public_ip != ""
    assert cloud.clusters() == ("other", "swarm_app")
    assert cloud.state(gone) == "terminated"


def test_an_instance_is_stopped_and_started(cloud: Cloud) -> None:
    one = launch("swarm_app_wkr1")
    cloud.stop(one, force=True)
    assert cloud.state(one) == "stopped"
    cloud.start(one)
    assert cloud.state(one) == "running"


def test_an_unknown_name_is_answered_with_the_nearest(cloud: Cloud) -> None:
    launch("swarm_app_wkr1")
    with pytest.raises(UsageError) as caught:
        by_name(cloud.instances("swarm_app"), "swarm_app_wrk1")
    assert "did you mean 'swarm_app_wkr1'" in caught.value.hint


def test_a_refusal_of_ec2_is_worded(cloud: Cloud) -> None:
    with pytest.raises(CloudError, match=r"EC2 in eu-central-1 refused StopInstances") as caught:
        cloud.stop("i-0123456789abcdef0")
    assert "another region" in caught.value.hint


def test_a_missing_region_is_said_first(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CloudError, match="no AWS region"):
        Cloud()


def test_missing_credentials_are_said_before_any_call(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CloudError, match="no AWS credentials") as caught:
        Cloud(REGION)
    assert "swarmctl lab env" in caught.value.hint


def test_an_endpoint_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(CloudError, match=r"http://127\.0\.0\.1:9"):
        Cloud(REGION).clusters()
