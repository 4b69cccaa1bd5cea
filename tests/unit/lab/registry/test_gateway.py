"""Docker gets from the lab's registry what it gets from ECR, and is refused as there."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from swarmctl.lab.api import Api
from swarmctl.lab.registry.gateway import Limits
from swarmctl.lab.registry.upstream import BLOCK
from tests.unit.lab.registry.conftest import Client, Store, digest_of, error, password

MANIFEST = b'{"layers": [{"size": 7}, {"size": 5}], "config": {"size": 1}}'
OTHER = b'{"layers": []}'


@pytest.fixture
def limits(api: Api) -> Iterator[Limits]:
    yield api.registry.limits
    api.registry.limits = Limits()


def test_a_token_is_good_as_long_as_it_says(api: Api, ecr: Any, registry: str) -> None:
    (data,) = ecr.get_authorization_token()["authorizationData"]
    assert data["proxyEndpoint"] == f"http://{registry}"
    life = timedelta(seconds=api.registry.tokens.life)
    assert abs(data["expiresAt"] - datetime.now(UTC) - life) < timedelta(seconds=60)
    assert Client(registry, password(ecr))("GET", "").status_code == 200


def test_without_a_password_a_client_is_asked_for_one(registry: str) -> None:
    for client in (Client(registry), Client(registry, "wrong")):
        answer = client("GET", "")
        assert error(answer) == (401, "UNAUTHORIZED", "Not Authorized")
        assert answer.headers["Www-Authenticate"].startswith("Basic realm=")


def test_a_token_that_has_ended_is_refused_in_ecrs_words_and_a_new_one_works(
    api: Api, ecr: Any, registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, now = Client(registry, password(ecr)), time.time()
    monkeypatch.setattr(api.registry.tokens, "_now", lambda: now + 3601)
    why = "Your authorization token has expired. Reauthenticate and try again."
    assert error(client("GET", "one/web/manifests/1")) == (403, "DENIED", why)
    assert Client(registry, password(ecr))("GET", "").status_code == 200


def test_what_was_pushed_is_what_the_api_lists(ecr: Any, repository: str, operator: Client) -> None:
    assert operator.push(repository, "1", MANIFEST).status_code == 201
    (image,) = ecr.describe_images(repositoryName=repository)["imageDetails"]
    assert image["imageDigest"] == digest_of(MANIFEST)
    assert image["imageTags"] == ["1"]
    assert image["imageSizeInBytes"] == 13
    pulled = operator("GET", f"{repository}/manifests/1")
    assert pulled.content == MANIFEST
    assert operator("GET", f"{repository}/tags/list").json()["tags"] == ["1"]


def test_a_tag_that_moves_leaves_its_image_without_one(
    ecr: Any, repository: str, operator: Client
) -> None:
    operator.push(repository, "1", MANIFEST)
    operator.push(repository, "1", OTHER)
    images = ecr.describe_images(repositoryName=repository)["imageDetails"]
    found = {image["imageDigest"]: image.get("imageTags") for image in images}
    assert found == {digest_of(MANIFEST): None, digest_of(OTHER): ["1"]}
    assert operator("GET", f"{repository}/manifests/1").content == OTHER


def test_an_immutable_tag_is_not_overwritten(
    ecr: Any, repository: str, operator: Client, store: Store
) -> None:
    ecr.put_image_tag_mutability(repositoryName=repository, imageTagMutability="IMMUTABLE")
    operator.push(repository, "1", MANIFEST)
    why = (
        "The image tag '1' already exists in the 'one/web' repository and cannot be overwritten "
        "because the tag is immutable."
    )
    assert error(operator.push(repository, "1", OTHER)) == (400, "TAG_INVALID", why)
    assert operator.push(repository, "2", OTHER).status_code == 201
    with pytest.raises(ecr.exceptions.ImageTagAlreadyExistsException, match="tag is immutable"):
        ecr.put_image(
            repositoryName=repository,
            imageManifest=OTHER.decode(),
            imageManifestMediaType="application/json",
            imageTag="1",
        )


def test_unknown_repositories_and_images_are_told_apart(repository: str, operator: Client) -> None:
    why = (
        "The repository with name 'one/none' does not exist in the registry with id '123456789012'"
    )
    for answer in (
        operator("GET", "one/none/manifests/1"),
        operator("POST", "one/none/blobs/uploads/"),
    ):
        assert error(answer) == (404, "NAME_UNKNOWN", why)
    answer = operator("GET", f"{repository}/manifests/1")
    assert error(answer) == (404, "MANIFEST_UNKNOWN", "Requested image not found")
    assert operator("GET", f"{repository}/manifests/{digest_of(MANIFEST)}").status_code == 404


def test_a_layer_is_streamed_in_both_directions(
    repository: str, operator: Client, store: Store
) -> None:
    """Broken: the lab's process needs as much memory as the largest layer."""
    size = 3 * BLOCK + 1
    parts = (b"x" * BLOCK for _ in range(3))
    answer = operator("PATCH", f"{repository}/blobs/uploads/1", data=iter([*parts, b"x"]))
    assert answer.status_code == 202
    assert sum(store.layer) == size
    assert max(store.layer) <= BLOCK
    store.answer = b"y" * size
    got = operator("GET", f"{repository}/blobs/sha256:{'0' * 64}")
    assert got.content == store.answer


def test_a_layer_of_another_repository_is_not_mounted(
    repository: str, operator: Client, store: Store
) -> None:
    operator("POST", f"{repository}/blobs/uploads/?mount=sha256:0&from=one/other")
    assert store.asked == ["POST /v2/one/web/blobs/uploads/"]


def test_a_layer_above_the_limit_is_refused_before_it_is_stored(
    repository: str, operator: Client, limits: Limits
) -> None:
    limits.layer = 10
    answer = operator("PATCH", f"{repository}/blobs/uploads/1", data=b"x" * 11)
    assert error(answer)[:2] == (400, "SIZE_INVALID")
    assert operator("PATCH", f"{repository}/blobs/uploads/1", data=b"x" * 10).status_code == 202


def test_a_full_registry_refuses_layers_and_still_serves_images(
    repository: str, operator: Client, limits: Limits
) -> None:
    operator.push(repository, "1", MANIFEST)
    limits.room = 10
    assert operator("PATCH", f"{repository}/blobs/uploads/1", data=b"x" * 10).status_code == 202
    answer = operator("PATCH", f"{repository}/blobs/uploads/1", data=b"x")
    assert error(answer) == (500, "UNKNOWN", "unknown error: no space left on device")
    assert operator("GET", f"{repository}/manifests/1").content == MANIFEST


def test_the_registry_has_nothing_that_ecr_has_not(repository: str, operator: Client) -> None:
    for method, path in (
        ("DELETE", f"{repository}/manifests/1"),
        ("GET", "_catalog"),
        ("POST", f"{repository}/manifests/1"),
    ):
        assert operator(method, path).status_code == 405
