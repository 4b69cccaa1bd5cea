"""Names of images are read as the docker CLI reads them."""

from __future__ import annotations

import pytest

from swarmctl.registry.reference import host_of, parse, with_tag

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    ("image", "host", "repository", "tag", "digest"),
    [
        ("httpd", "docker.io", "library/httpd", "", ""),
        ("httpd:2.4", "docker.io", "library/httpd", "2.4", ""),
        ("team/app:1", "docker.io", "team/app", "1", ""),
        ("my_team/app", "docker.io", "my_team/app", "", ""),
        ("docker.io/httpd", "docker.io", "library/httpd", "", ""),
        ("docker.io/team/app", "docker.io", "team/app", "", ""),
        ("localhost/app", "localhost", "app", "", ""),
        ("registry.example/app", "registry.example", "app", "", ""),
        ("registry:5000/a/b/c:v1", "registry:5000", "a/b/c", "v1", ""),
        (f"127.0.0.1:5000/app:1@{DIGEST}", "127.0.0.1:5000", "app", "1", DIGEST),
        (f"[::1]:5000/app@{DIGEST}", "[::1]:5000", "app", "", DIGEST),
    ],
)
def test_an_image_has_a_registry_a_repository_a_tag_and_a_digest(
    image: str, host: str, repository: str, tag: str, digest: str
) -> None:
    found = parse(image)
    assert found is not None
    assert (found.host, found.repository, found.tag, found.digest) == (
        host,
        repository,
        tag,
        digest,
    )
    assert str(found) == image
    assert host_of(image) == host


@pytest.mark.parametrize(
    "image", ["", "App:1", "a b", "app:", "app@sha256:12", "-app", "app/", "/app", "a//b", "app:ü"]
)
def test_what_is_no_name_of_an_image_has_no_host(image: str) -> None:
    assert parse(image) is None
    assert host_of(image) == ""


def test_a_name_without_a_tag_means_latest() -> None:
    assert with_tag("registry:5000/app") == "registry:5000/app:latest"
    assert with_tag("app:1") == "app:1"
    assert with_tag(f"app@{DIGEST}") == f"app@{DIGEST}"
