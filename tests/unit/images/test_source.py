"""An image's tag follows everything that it is built from, and nothing else."""

from __future__ import annotations

import io
import os
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.images.source import ImageSource, build_context, image_sources


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    folder = tmp_path / "shop" / "images" / "api"
    (folder / "lib").mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    (folder / "lib" / "a.js").write_text("1")
    return tmp_path / "shop"


def only(stack: Path, **values: Any) -> ImageSource:
    return image_sources(stack, {"images": {"api": values}})["api"]


def names(archive: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as found:
        return found.getnames()


def test_the_same_files_have_the_same_tag_whoever_owns_them_and_whenever_they_changed(
    stack: Path,
) -> None:
    before = build_context(only(stack))
    file = stack / "images/api/lib/a.js"
    file.chmod(0o600)
    os.utime(file, (1, 1))
    assert build_context(only(stack)) == before
    assert len(before.tag) == 12


def test_content_name_executable_bit_arguments_and_platform_change_the_tag(stack: Path) -> None:
    file = stack / "images/api/lib/a.js"
    source = only(stack)
    tags = {build_context(source).tag}
    for change in (
        lambda: file.write_text("2"),
        lambda: file.chmod(0o755),
        lambda: file.rename(file.with_name("b.js")),
    ):
        change()
        tags.add(build_context(source).tag)
    tags.add(build_context(replace(source, args={"BASE": "node:22"})).tag)
    tags.add(build_context(replace(source, platform="linux/arm64")).tag)
    assert len(tags) == 6
    assert build_context(replace(source, max_size=1)).tag in tags


def test_what_dockerignore_names_is_not_in_the_context(stack: Path) -> None:
    folder = stack / "images/api"
    (folder / ".dockerignore").write_text("# not these\nnode_modules\n*.log\n")
    (folder / "node_modules").mkdir()
    (folder / "node_modules" / "x.js").write_text("x")
    (folder / "npm.log").write_text("x")
    assert names(build_context(only(stack)).archive) == ["Dockerfile", "lib/a.js"]


def test_a_script_adds_files_to_the_context(stack: Path) -> None:
    script = stack / "images/api/prepare"
    script.write_text('#!/bin/sh\necho made > "$1/made.txt"\n')
    script.chmod(0o755)
    before = build_context(only(stack))
    assert names(before.archive) == ["Dockerfile", "lib/a.js", "made.txt"]
    script.write_text('#!/bin/sh\necho other > "$1/made.txt"\n')
    assert build_context(only(stack)).tag != before.tag
    script.write_text("#!/bin/sh\necho no packages >&2; exit 3\n")
    with pytest.raises(SwarmctlError, match="prepare failed with exit code 3: no packages"):
        build_context(only(stack))


def test_the_values_of_an_image_are_read(stack: Path) -> None:
    source = only(stack, args={"N": 1}, platform="linux/arm64", max_size="300M", tag="abc")
    assert (source.stack, source.name, source.args) == ("shop", "api", {"N": "1"})
    assert (source.platform, source.max_size, source.tag) == ("linux/arm64", 300 * 2**20, "abc")
    assert image_sources(stack, {}) == {"api": only(stack)}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"images": ["api"]}, "not a map of images"),
        ({"images": {"aip": {}}}, "unknown image 'aip'"),
        ({"images": {"api": "x"}}, "not a map"),
        ({"images": {"api": {"size": 1}}}, "unknown key of images.api 'size'"),
        ({"images": {"api": {"args": "x"}}}, "not a map of build arguments"),
        ({"images": {"api": {"max_size": "big"}}}, "max_size: .*not a size"),
    ],
)
def test_a_wrong_value_is_named(stack: Path, values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        image_sources(stack, values)
