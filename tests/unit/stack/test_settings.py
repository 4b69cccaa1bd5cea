"""What a stack was deployed with is in the Swarm: every operator's machine deploys the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from swarmctl.errors import UsageError
from swarmctl.network.kernels import Kernels
from swarmctl.stack.deploy.current import read_current
from swarmctl.stack.deploy.remove import leftovers, remove
from swarmctl.stack.render.source import StackChoice, choose_source
from swarmctl.stack.settings import record, settle
from swarmctl.wait import Clock
from tests.unit.engine_fake import FakeEngine

TEMPLATE = "services: {web: {image: 'web:{{ tag }}-{{ db.password }}', x-publish: {{ publish }}}}\n"
VALUES = "publish: mesh\ntag: 1\ndb: {password: none}\n"
NO_MESH = Kernels(without_ip_vs=("wkr1",))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "stacks" / "shop"
    folder.mkdir(parents=True)
    (folder / "docker-compose.yml.j2").write_text(TEMPLATE)
    (folder / "values.yml").write_text(VALUES)
    return folder


class Operator:
    """Someone who deploys from a machine of their own."""

    def __init__(self, fake: FakeEngine, folder: Path) -> None:
        self.fake, self.folder = fake, folder
        self.notes: list[str] = []

    def choice(self, *assignments: str, values: tuple[Path, ...] = ()) -> StackChoice:
        return choose_source(str(self.folder), (), values, assignments)

    def deploy(self, *assignments: str, kernels: Kernels = NO_MESH, **more: Any) -> str:
        """Deploy, as far as the settings are concerned; returns the compose file."""
        recorded = more.pop("recorded", True)
        choice = self.choice(*assignments, **more)
        self.notes.clear()
        settings, source = settle.load(
            self.fake, choice, lambda: kernels, self.notes.append, recorded=recorded
        )
        settle.save(self.fake, choice, settings)
        return source.rendered.compose


def test_a_deploy_without_options_repeats_the_last_one_and_says_so(shop: Path) -> None:
    operator = Operator(FakeEngine(), shop)
    first = operator.deploy("publish=host", "tag=7")
    assert operator.deploy(kernels=Kernels()) == first
    assert operator.notes == [
        "shop: as the last deploy: --set publish=host --set tag=7 (--no-recorded ignores it)"
    ]


def test_another_checkout_reads_the_same_values_file(shop: Path, tmp_path: Path) -> None:
    fake = FakeEngine()
    files = tmp_path / "prod.yml", tmp_path / "other" / "prod.yml"
    theirs = tmp_path / "other" / "stacks" / "shop"
    theirs.mkdir(parents=True)
    for name in ("docker-compose.yml.j2", "values.yml"):
        (theirs / name).write_text((shop / name).read_text())
    for file in files:
        file.write_text("tag: 9\n")
    first = Operator(fake, shop).deploy(values=(files[0],))
    assert "web:9" in first
    assert Operator(fake, theirs).deploy() == first


def test_given_options_win_and_are_recorded(shop: Path, tmp_path: Path) -> None:
    operator = Operator(FakeEngine(), shop)
    operator.deploy("tag=7", "publish=host")
    assert "web:8-none', x-publish: host" in operator.deploy("tag=8")
    assert "web:8-none', x-publish: host" in operator.deploy()
    prod = tmp_path / "prod.yml"
    prod.write_text("tag: 10\n")
    assert "web:10-none', x-publish: host" in operator.deploy(values=(prod,))
    assert "web:10-none', x-publish: host" in operator.deploy()


def test_without_the_record_only_the_given_options_count(shop: Path) -> None:
    operator = Operator(FakeEngine(), shop)
    operator.deploy("tag=7", "publish=host")
    assert "web:1-none', x-publish: mesh" in operator.deploy(recorded=False, kernels=Kernels())
    assert "web:1-none" in operator.deploy()


def test_the_same_settings_are_not_written_again(shop: Path) -> None:
    operator = Operator(FakeEngine(), shop)
    operator.deploy("tag=7")
    operator.fake.sent.clear()
    operator.deploy()
    assert operator.fake.sent == []


@pytest.mark.parametrize(
    "secret", ["db.password=hunter2", "db={password: hunter2}", "tag=http://me:hunter2@registry"]
)
def test_a_value_that_may_be_secret_is_not_recorded_but_asked_for_again(
    shop: Path, secret: str
) -> None:
    operator = Operator(FakeEngine(), shop)
    operator.deploy(secret)
    assert "hunter2" not in str(operator.fake.store)
    name = secret.partition("=")[0]
    with pytest.raises(UsageError, match=f"--set {name}=…, not recorded"):
        operator.deploy()
    assert "hunter2" in operator.deploy(secret)


def test_a_recorded_values_file_that_is_not_here_is_named(shop: Path, tmp_path: Path) -> None:
    operator, prod = Operator(FakeEngine(), shop), tmp_path / "prod.yml"
    prod.write_text("tag: 10\n")
    operator.deploy(values=(prod,))
    prod.unlink()
    with pytest.raises(UsageError, match=r"prod.yml, which does not exist here") as caught:
        operator.deploy()
    assert "--no-recorded" in caught.value.hint


def test_a_record_of_another_version_is_refused(shop: Path) -> None:
    operator = Operator(FakeEngine(), shop)
    operator.deploy()
    labels = operator.fake.named("configs", record.config_name("shop"))["Spec"]["Labels"]
    labels[record.LABEL] = "[]"
    with pytest.raises(UsageError, match="not a record of this version"):
        operator.deploy()


@pytest.mark.parametrize(
    ("kernels", "mode"),
    [
        (NO_MESH, "host"),
        (Kernels(), "mesh"),
        (Kernels(silent={"wkr1": "wkr1: no answer"}), "mesh"),
        (Kernels(("wkr2",), {"wkr1": "wkr1: no answer"}), "host"),
    ],
)
def test_a_first_deploy_publishes_as_the_kernels_allow(
    shop: Path, kernels: Kernels, mode: str
) -> None:
    operator = Operator(FakeEngine(), shop)
    assert f"x-publish: {mode}" in operator.deploy(kernels=kernels)
    assert operator.notes[0].startswith(f"shop: --set publish={mode} (")


def test_a_way_to_publish_that_is_given_is_not_changed(shop: Path) -> None:
    assert "x-publish: mesh" in Operator(FakeEngine(), shop).deploy("publish=mesh")


def test_the_record_is_removed_with_the_stack_and_not_pruned(shop: Path) -> None:
    fake = FakeEngine()
    Operator(fake, shop).deploy("tag=7")
    current = read_current(fake, "shop")
    assert list(current.configs) == ["swarmctl-settings-shop"]
    assert leftovers(fake, current)["configs"] == {}
    remove(fake, current, timeout=5, clock=Clock(pause=lambda _: None))
    assert fake.names("configs") == []


def test_a_deploy_from_compose_files_leaves_no_record_of_a_template(
    shop: Path, tmp_path: Path
) -> None:
    operator = Operator(FakeEngine(), shop)
    operator.deploy("tag=7")
    compose = tmp_path / "compose.yml"
    compose.write_text("services: {web: {image: httpd}}\n")
    choice = choose_source("shop", [compose])
    settle.save(operator.fake, choice, choice.given)
    assert operator.fake.names("configs") == []


def test_the_config_of_a_stack_with_a_long_name_has_a_name_that_swarm_accepts() -> None:
    one, other = (record.config_name("s" * 62 + end) for end in "ab")
    assert one != other
    assert len(one) <= 64
