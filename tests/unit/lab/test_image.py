"""The lab's images are built exactly when something that goes into them changed."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import docker
import docker.errors
import pytest

from swarmctl.errors import SwarmctlError
from swarmctl.lab.image import build
from swarmctl.lab.image.build import _proxies
from swarmctl.lab.image.ensure import Images, ensure_images, ensure_older_engine
from swarmctl.lab.image.recipes import RECIPES, ImageTags, build_context, image_tags


@pytest.fixture
def recipes(tmp_path: Path) -> Path:
    copy = tmp_path / "images"
    shutil.copytree(RECIPES, copy)
    return copy


def differing(one: ImageTags, other: ImageTags) -> set[str]:
    return {name for name, reference in vars(one).items() if vars(other)[name] != reference}


def test_the_same_recipes_give_the_same_tags_in_any_folder(recipes: Path) -> None:
    (recipes / "node" / "Dockerfile").chmod(0o600)
    (recipes / "node" / "Dockerfile").touch()

    assert image_tags(recipes) == image_tags()


def test_a_changed_machine_rebuilds_the_machines_and_nothing_else(recipes: Path) -> None:
    unit = recipes / "node_bare/files/etc/systemd/system/lab-user-data.service"
    unit.write_text(unit.read_text() + "# changed\n")

    assert differing(image_tags(), image_tags(recipes)) == {"node_bare", "node", "node_older"}


def test_a_changed_application_also_changes_the_registry_that_holds_it(recipes: Path) -> None:
    (recipes / "httpd/files/htdocs/index.html").write_text("changed")

    assert differing(image_tags(), image_tags(recipes)) == {"httpd", "registry"}


def test_a_renamed_file_is_a_change(recipes: Path) -> None:
    folder = recipes / "httpd/files/htdocs"
    (folder / "index.html").rename(folder / "home.html")

    assert "httpd" in differing(image_tags(), image_tags(recipes))


def test_another_base_changes_everything() -> None:
    everything = set(vars(image_tags()))

    assert differing(image_tags(), image_tags(base_image="debian:trixie-slim")) == everything
    assert image_tags(base_image="debian:trixie-slim").base == "debian:trixie-slim"


def test_scripts_are_executable_in_the_build_context_and_other_files_are_not() -> None:
    with tarfile.open(fileobj=io.BytesIO(build_context(RECIPES / "node_bare"))) as archive:
        modes = {entry.name: entry.mode for entry in archive}

    assert modes["files/usr/local/sbin/lab-init"] == 0o755
    assert modes["files/etc/sudoers.d/admin"] == 0o644


def test_no_host_key_and_no_machine_id_is_baked_in() -> None:
    recipe = (RECIPES / "node_bare/Dockerfile").read_text()

    assert "rm -f /etc/ssh/ssh_host_*" in recipe
    assert ": > /etc/machine-id" in recipe


class FakeApi:
    """The part of the Engine's API that building images uses."""

    def __init__(self, tags: set[str], import_answer: str = "") -> None:
        self.tags = tags
        self.import_answer = import_answer
        self.built: list[str] = []
        self.build_events: list[dict[str, str]] = []

    def images(self) -> list[dict[str, Any]]:
        return [{"RepoTags": None}, *({"RepoTags": [tag]} for tag in self.tags)]

    def build(self, *, tag: str, **_: Any) -> Iterator[dict[str, str]]:
        self.built.append(tag)
        yield from self.build_events

    def import_image_from_stream(self, stream: Iterator[bytes], **_: Any) -> str:
        list(stream)
        return self.import_answer


class FakeEngine:
    def __init__(self, tags: set[str], in_use: set[str] | None = None) -> None:
        self.api = FakeApi(tags)
        self.in_use = in_use or set()
        self.images = self

    def remove(self, reference: str) -> None:
        if reference in self.in_use:
            response = type("Response", (), {"status_code": 409, "reason": "Conflict"})()
            raise docker.errors.APIError("in use", response=response)
        self.api.tags.remove(reference)


def engine(fake: FakeEngine) -> docker.DockerClient:
    return cast(docker.DockerClient, fake)


def test_nothing_is_built_or_printed_when_the_images_exist() -> None:
    wanted = image_tags()
    fake = FakeEngine({wanted.node, wanted.node_bare, wanted.registry, wanted.load_balancer})
    said: list[str] = []

    images = ensure_images(engine(fake), said.append)

    assert images == Images(wanted.node, wanted.node_bare, wanted.registry, wanted.load_balancer)
    assert fake.api.built == []
    assert said == []


def test_only_the_missing_image_is_built() -> None:
    wanted = image_tags()
    fake = FakeEngine({r for name, r in vars(wanted).items() if name != "node"})

    ensure_images(engine(fake), lambda _: None)

    assert fake.api.built == [wanted.node]


def test_a_failed_build_shows_the_end_of_its_log() -> None:
    wanted = image_tags()
    fake = FakeEngine({r for name, r in vars(wanted).items() if name != "node"})
    fake.api.build_events = [
        {"stream": "E: Unable to locate package docker.io\n"},
        {"error": "returned a non-zero code: 100"},
    ]

    with pytest.raises(SwarmctlError, match=r"node failed: .* 100\nE: Unable to locate"):
        ensure_images(engine(fake), lambda _: None)


def test_a_recipe_whose_script_does_not_end_is_a_failure_in_words(
    recipes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "PREPARE_TIMEOUT", 0.2)
    (recipes / "httpd/prepare").write_text("exec sleep 30")

    with pytest.raises(SwarmctlError, match=r"httpd failed:\nnot done within 0\.2 s"):
        build.build_image(
            engine(FakeEngine(set())), recipes / "httpd", "one", "two", lambda _: None
        )


def test_failures_of_both_halves_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeEngine({image_tags().base})
    fake.api.build_events = [{"error": "no space left on device"}]

    with pytest.raises(SwarmctlError) as caught:
        ensure_images(engine(fake), lambda _: None)

    assert "image node_bare failed" in caught.value.message
    assert "image httpd failed" in caught.value.message


def test_without_mmdebstrap_the_hint_is_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(SwarmctlError, match="mmdebstrap") as caught:
        ensure_images(engine(FakeEngine(set())), lambda _: None)

    assert caught.value.hint == "run: swarmctl lab doctor --fix"


def test_a_failed_mmdebstrap_shows_its_log_and_leaves_no_base(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "mmdebstrap"
    broken.write_text("#!/bin/sh\necho half a tar file\necho E: no mirror >&2\nexit 25\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    fake = FakeEngine(set())
    fake.api.import_answer = json.dumps({"error": "unexpected EOF"})

    with pytest.raises(SwarmctlError, match=r"exit code 25:\nE: no mirror"):
        ensure_images(engine(fake), lambda _: None)

    assert fake.api.tags == set()


def test_proxies_of_the_environment_reach_the_builds() -> None:
    environment = {"http_proxy": "http://proxy:3128", "https_proxy": "", "HOME": "/root"}

    assert _proxies(environment) == {"http_proxy": "http://proxy:3128"}


def test_the_older_engine_is_built_only_when_it_is_asked_for() -> None:
    wanted = image_tags()
    fake = FakeEngine({wanted.node_bare})

    assert ensure_older_engine(engine(fake), lambda _: None) == wanted.node_older
    fake.api.tags.add(wanted.node_older)
    ensure_older_engine(engine(fake), lambda _: None)

    assert fake.api.built == [wanted.node_older]
