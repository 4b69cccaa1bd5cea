"""How an image is built, and what a failed build says."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.images import engine, platforms
from swarmctl.images.build import build_arguments, command
from swarmctl.images.build_failure import failure
from swarmctl.images.dockerfile import base_arguments, instructions
from swarmctl.images.source import ImageSource

DOCKERFILE = """\
# syntax=docker/dockerfile:1
ARG BASE=node:20
ARG TOOL="registry.example/tool:1"
FROM ${BASE} AS packages
RUN apt-get update \\
 # a comment inside
 && apt-get install -y x

COPY a b
RUN npm ci
"""
SOURCE = ImageSource("shop", "api", Path("stacks/shop/images/api"))


def test_values_of_build_arguments_are_not_in_the_process_list() -> None:
    argv = command(SOURCE, {"TOKEN": "s3cret", "BASE": "x"}, Path("/tmp/id"), buildx=False)
    assert argv == [
        *("docker", "build", "--force-rm", "--iidfile=/tmp/id"),
        *("--build-arg=BASE", "--build-arg=TOKEN", "-"),
    ]


def test_buildx_is_used_where_there_is_one() -> None:
    source = ImageSource("shop", "api", Path("x"), platform="linux/arm64")
    assert command(source, {}, Path("/tmp/id"), buildx=True) == [
        *("docker", "buildx", "build", "--load", "--progress=plain", "--iidfile=/tmp/id"),
        *("--platform=linux/arm64", "-"),
    ]


def test_base_images_of_docker_hub_come_from_the_mirror_if_there_is_one() -> None:
    assert base_arguments(DOCKERFILE) == {"BASE": "library/node:20"}
    environment = {
        "SWARMCTL_IMAGE_MIRROR": "127.0.0.1:5000",
        "NPM_CONFIG_REGISTRY": "https://npm.example",
        "OTHER": "x",
    }
    assert build_arguments(SOURCE, DOCKERFILE, environment) == {
        "BASE": "127.0.0.1:5000/library/node:20",
        "NPM_CONFIG_REGISTRY": "https://npm.example",
    }
    source = ImageSource("shop", "api", Path("x"), args={"BASE": "node:22"})
    assert build_arguments(source, DOCKERFILE, environment)["BASE"] == "node:22"
    assert build_arguments(SOURCE, DOCKERFILE, {}) == {}


def test_an_argument_that_is_only_a_part_of_a_base_image_s_name_is_left_alone() -> None:
    first = "ARG VERSION=20\nARG BASE=httpd:2.4\nFROM node:${VERSION}\n"
    text = f"{first}FROM --platform=linux/arm64 $BASE\n"
    assert base_arguments(text) == {"BASE": "library/httpd:2.4"}


def test_instructions_have_the_lines_on_which_they_begin() -> None:
    found = [(i.line, i.word) for i in instructions(DOCKERFILE)]
    assert found == [(2, "ARG"), (3, "ARG"), (4, "FROM"), (5, "RUN"), (9, "COPY"), (10, "RUN")]
    here = "FROM x\nRUN <<EOF\nCOPY no\nEOF\nCMD y\n"
    assert [(i.line, i.word) for i in instructions(here)] == [(1, "FROM"), (2, "RUN"), (5, "CMD")]


@pytest.mark.parametrize(
    "log",
    [
        [
            "DEPRECATED: The legacy builder is deprecated and will be removed in a future release.",
            "Step 5/6 : COPY a b",
            "Step 6/6 : RUN npm ci",
            "npm error code E404",
            "The command '/bin/sh -c npm ci' returned a non-zero code: 1",
        ],
        [
            "#9 [packages 3/3] RUN npm ci",
            "npm error code E404",
            "Dockerfile:10",
            "--------------------",
            'ERROR: failed to solve: process "/bin/sh -c npm ci" did not complete: exit code: 1',
        ],
        [
            "#9 [packages 3/3] RUN npm ci",
            "#9 0.232 npm error code E404",
            " > [packages 3/3] RUN npm ci:",
            "  npm error code E404",
            "ERROR: failed to solve: executor failed running [/bin/sh -c npm ci]: exit code: 1",
        ],
    ],
    ids=["docker build", "buildx", "buildx with an old Engine"],
)
def test_a_failed_instruction_is_shown_with_its_line_and_the_end_of_the_log(log: list[str]) -> None:
    said = failure(SOURCE, DOCKERFILE, log).message
    assert said.startswith("stacks/shop/images/api/Dockerfile:10 (RUN npm ci): ")
    assert "code: 1" in said.splitlines()[0]
    assert "  npm error code E404" in said
    assert "DEPRECATED" not in said


def test_a_misspelt_instruction_is_shown_with_its_line() -> None:
    log = ["Error response from daemon: dockerfile parse error line 4: unknown instruction: FRMO"]
    said = failure(SOURCE, DOCKERFILE, log).message
    assert said.startswith("stacks/shop/images/api/Dockerfile:4 (FROM ${BASE} AS packages): ")
    assert "unknown instruction: FRMO" in said


def test_a_line_that_the_dockerfile_does_not_have_is_not_looked_for() -> None:
    said = failure(SOURCE, DOCKERFILE, ["Dockerfile:9999", "no space left on device"]).message
    assert said.startswith("stacks/shop/images/api/Dockerfile: no space left on device")


def test_a_base_image_that_cannot_be_pulled_names_the_mirror() -> None:
    log = [
        "Step 3/6 : FROM ${BASE} AS packages",
        'Get "https://registry-1.docker.io/v2/": dial tcp: no such host',
    ]
    fault = failure(SOURCE, DOCKERFILE, log)
    assert "Dockerfile:4 (FROM" in fault.message
    assert "SWARMCTL_IMAGE_MIRROR" in fault.hint


def test_an_unknown_platform_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="unknown platform 'linux/amd46'") as caught:
        platforms.require_known("linux/amd46")
    assert "did you mean 'linux/amd64'" in caught.value.hint
    with pytest.raises(UsageError, match="several platforms"):
        platforms.require_known("linux/amd64,linux/arm64")
    platforms.require_known("")


def test_one_platform_has_two_names() -> None:
    inspected = {"Os": "linux", "Architecture": "arm64", "Variant": "v8"}
    assert platforms.same("linux/arm64", platforms.of_image(inspected))
    assert not platforms.same("linux/arm64", "linux/amd64")


def test_without_docker_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(SwarmctlError, match="not installed here") as caught:
        engine.local_engine()
    assert "install Docker" in caught.value.hint


def test_an_engine_that_does_not_answer_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/docker")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    with pytest.raises(SwarmctlError, match="the Docker Engine of this machine does not answer"):
        engine.local_engine()


def test_a_context_of_docker_that_does_not_exist_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: "/usr/bin/docker")
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("DOCKER_CONTEXT", "nosuch")
    with pytest.raises(SwarmctlError, match="no such Docker context"):
        engine.local_engine()
