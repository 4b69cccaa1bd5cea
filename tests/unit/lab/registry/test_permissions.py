"""A token opens the registry as far as the policies of its caller go."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from swarmctl.lab.access.call import Call
from swarmctl.lab.access.keys import Key
from swarmctl.lab.access.resources import resources
from swarmctl.lab.api import Api
from tests.unit.lab.conftest import KEY_ID, SECRET
from tests.unit.lab.registry.conftest import Client, Store, error

MANIFEST = b'{"layers": []}'
ARN = "arn:aws:ecr:eu-central-1:123456789012:repository/one/*"
PULL = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
PUSH = ["ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage"]


@pytest.fixture
def iam(endpoint: str) -> Iterator[Any]:
    found = boto3.client(
        "iam",
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
    )
    found.create_role(RoleName="node", AssumeRolePolicyDocument="{}")
    yield found
    found.delete_role_policy(RoleName="node", PolicyName="images")
    found.delete_role(RoleName="node")


def may(iam: Any, actions: list[str], resource: str = ARN, **more: Any) -> None:
    statement = {"Effect": "Allow", "Action": actions, "Resource": resource, **more}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName="node", PolicyName="images", PolicyDocument=document)


@pytest.fixture
def node(api: Api, registry: str) -> Client:
    """A client with the token of a machine's role."""
    key = Key("ASIA1", "secret", role="node", session="i-1")
    return Client(registry, api.registry.tokens.issue(key, "eu-central-1").password)


def test_a_role_that_may_pull_does_not_push(
    iam: Any, repository: str, operator: Client, node: Client, store: Store
) -> None:
    operator.push(repository, "1", MANIFEST)
    may(iam, PULL)
    assert node("GET", f"{repository}/manifests/1").content == MANIFEST
    assert node("HEAD", f"{repository}/blobs/sha256:{'0' * 64}").status_code == 200
    before = list(store.asked)
    status, code, words = error(node("POST", f"{repository}/blobs/uploads/"))
    assert (status, code) == (403, "DENIED")
    assert words.startswith(
        "User: arn:aws:sts::123456789012:assumed-role/node/i-1 is not authorized to perform: "
        "ecr:InitiateLayerUpload on resource: "
        "arn:aws:ecr:eu-central-1:123456789012:repository/one/web"
    )
    assert error(node.push(repository, "2", MANIFEST))[:2] == (403, "DENIED")
    assert store.asked == before


def test_a_role_pushes_to_the_repositories_with_its_clusters_tag(
    iam: Any, ecr: Any, repository: str, node: Client
) -> None:
    condition = {"StringEquals": {"aws:ResourceTag/swarmctl:cluster": "one"}}
    may(iam, PUSH, Condition=condition)
    assert node.push(repository, "1", MANIFEST).status_code == 403
    (found,) = ecr.describe_repositories(repositoryNames=[repository])["repositories"]
    tags = [{"Key": "swarmctl:cluster", "Value": "one"}]
    ecr.tag_resource(resourceArn=found["repositoryArn"], tags=tags)
    assert node.push(repository, "1", MANIFEST).status_code == 201


def test_who_may_not_pull_does_not_learn_which_images_there_are(
    iam: Any, repository: str, node: Client
) -> None:
    may(iam, PULL, "arn:aws:ecr:eu-central-1:123456789012:repository/two/*")
    for name in (repository, "one/none"):
        assert error(node("GET", f"{name}/manifests/1"))[:2] == (403, "DENIED")


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"repositoryName": "one/web"}, ("one/web",)),
        ({"repositoryNames": ["one/web", "one/db"]}, ("one/web", "one/db")),
        ({}, ("*",)),
        ({"repositoryNames": 5}, ("*",)),
    ],
)
def test_a_call_names_its_repositories(parameters: dict[str, Any], named: tuple[str, ...]) -> None:
    call = Call("ecr", "DescribeRepositories", parameters, "eu-central-1", as_json=True)
    arn = "arn:aws:ecr:eu-central-1:123456789012:repository"
    assert resources(call, "123456789012") == tuple(f"{arn}/{name}" for name in named)
    assert resources(Call("ecr", "GetAuthorizationToken"), "123456789012") == ("*",)
