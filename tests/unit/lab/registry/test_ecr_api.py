"""ECR's API and the registry have the same images."""

import json
from typing import Any

import pytest

from tests.unit.lab.registry.conftest import KIND, Client, Store, digest_of

MANIFEST = b'{"layers": [], "config": {"size": 1}}'
OTHER = b'{"layers": []}'


def path(manifest: bytes) -> str:
    return f"/v2/one/web/manifests/{digest_of(manifest)}"


def test_a_repository_is_at_the_registrys_address(ecr: Any, repository: str, registry: str) -> None:
    (found,) = ecr.describe_repositories(repositoryNames=[repository])["repositories"]
    assert found["repositoryUri"] == f"{registry}/one/web"


def test_a_deleted_image_leaves_the_registry_with_its_last_tag(
    ecr: Any, repository: str, operator: Client, store: Store
) -> None:
    for tag in ("1", "2"):
        operator.push(repository, tag, MANIFEST)
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "1"}])
    assert operator("GET", f"{repository}/manifests/1").status_code == 404
    assert operator("GET", f"{repository}/manifests/2").content == MANIFEST
    ecr.batch_delete_image(repositoryName=repository, imageIds=[{"imageTag": "2"}])
    assert store.manifests == {}
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []


def test_a_repository_takes_its_images_along(
    ecr: Any, registry: str, operator: Client, store: Store
) -> None:
    ecr.create_repository(repositoryName="one/web")
    operator.push("one/web", "1", MANIFEST)
    with pytest.raises(ecr.exceptions.RepositoryNotEmptyException):
        ecr.delete_repository(repositoryName="one/web")
    assert store.manifests == {path(MANIFEST): MANIFEST}
    ecr.delete_repository(repositoryName="one/web", force=True)
    assert store.manifests == {}


def test_an_image_that_was_put_through_the_api_can_be_pulled(
    ecr: Any, repository: str, operator: Client, store: Store
) -> None:
    operator.push(repository, "1", MANIFEST)
    (image,) = ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": "1"}])[
        "images"
    ]
    put = {
        "repositoryName": repository,
        "imageManifest": image["imageManifest"],
        "imageManifestMediaType": KIND,
    }
    ecr.put_image(**put, imageTag="2")
    assert operator("GET", f"{repository}/manifests/2").content == MANIFEST
    with pytest.raises(ecr.exceptions.ImageAlreadyExistsException):
        ecr.put_image(**put, imageTag="2")


def test_policies_are_kept(ecr: Any, repository: str) -> None:
    lifecycle = (
        '{"rules": [{"rulePriority": 1, "selection": {"tagStatus": "untagged", '
        '"countType": "imageCountMoreThan", "countNumber": 1}, "action": {"type": "expire"}}]}'
    )
    ecr.put_lifecycle_policy(repositoryName=repository, lifecyclePolicyText=lifecycle)
    found = ecr.get_lifecycle_policy(repositoryName=repository)
    assert found["lifecyclePolicyText"] == lifecycle
    policy = (
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", '
        '"Action": "ecr:BatchGetImage"}]}'
    )
    ecr.set_repository_policy(repositoryName=repository, policyText=policy)
    assert ecr.get_repository_policy(repositoryName=repository)["policyText"] == policy


def test_images_without_a_tag_can_be_asked_for(ecr: Any, repository: str, operator: Client) -> None:
    """Broken: who deletes all images without a tag deletes all images."""
    operator.push(repository, "1", MANIFEST)
    operator.push(repository, "1", OTHER)
    for status, manifest in (("UNTAGGED", MANIFEST), ("TAGGED", OTHER)):
        wanted = {"tagStatus": status}
        details = ecr.describe_images(repositoryName=repository, filter=wanted)["imageDetails"]
        listed = ecr.list_images(repositoryName=repository, filter=wanted)["imageIds"]
        for found in (details, listed):
            assert [image["imageDigest"] for image in found] == [digest_of(manifest)]


def test_an_image_without_a_tag_is_deleted_by_its_digest(
    ecr: Any, repository: str, operator: Client
) -> None:
    operator.push(repository, "1", MANIFEST)
    operator.push(repository, "1", OTHER)
    wanted = [{"imageDigest": digest_of(MANIFEST)}, {"imageTag": "none"}]
    answer = ecr.batch_delete_image(repositoryName=repository, imageIds=wanted)
    assert answer["imageIds"] == [{"imageDigest": digest_of(MANIFEST)}]
    assert [failure["failureCode"] for failure in answer["failures"]] == ["ImageNotFound"]


def test_an_image_of_a_manifest_list_stays_until_the_list_is_deleted(
    ecr: Any, repository: str, operator: Client
) -> None:
    child = digest_of(MANIFEST)
    parent = json.dumps({"manifests": [{"digest": child}]}).encode()
    operator.push(repository, child, MANIFEST)
    operator.push(repository, "1", parent)
    wanted = [{"imageDigest": child}, {"imageTag": "1"}, {"imageDigest": child}]
    answer = ecr.batch_delete_image(repositoryName=repository, imageIds=wanted)
    assert answer["failures"][0]["failureCode"] == "ImageReferencedByManifestList"
    assert [gone["imageDigest"] for gone in answer["imageIds"]] == [digest_of(parent), child]
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []


def test_a_repository_shows_its_settings_and_tags(ecr: Any, registry: str) -> None:
    tags = [{"Key": "swarmctl:cluster", "Value": "one"}]
    made = ecr.create_repository(
        repositoryName="one/set",
        imageTagMutability="IMMUTABLE",
        imageScanningConfiguration={"scanOnPush": True},
        tags=tags,
    )["repository"]
    assert ecr.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"] == tags
    (found,) = ecr.describe_repositories(repositoryNames=["one/set"])["repositories"]
    assert found["imageTagMutability"] == "IMMUTABLE"
    assert found["imageScanningConfiguration"] == {"scanOnPush": True}
    ecr.delete_repository(repositoryName="one/set")
