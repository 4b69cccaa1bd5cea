"""``--check`` says before a run what it will change, and afterwards that there is nothing left."""

from __future__ import annotations

import pytest

from swarmctl.wait import wait_for
from tests.lab.support import CLUSTER, STACK, Lab, healthy
from tests.lab.test_6_ha.conftest import SIZE

pytestmark = [pytest.mark.long, pytest.mark.timeout(2400)]

# By playbook, a change of the settings and what the check has to name.
PENDING = (
    ("provision", ("-e", "workers=2"), f"{CLUSTER}_wkr2"),
    ("swarm", ("-e", "swarm_dispatcher_heartbeat=6"), "heartbeat"),
    ("swarm", ("-e", "swarm_managers_run_tasks=true"), "swarmctl.replicas"),
    (
        "deploy",
        ("-e", '{"stacks": [{"name": "three_tier", "set": {"web.replicas": 4}}]}'),
        f"{STACK}_web",
    ),
)


@pytest.fixture(scope="module", autouse=True)
def whole(lab: Lab) -> None:
    """The cluster that the test before has made, or a new one."""
    lab.playbook("site", *SIZE).ok()
    wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=180, interval=1)


@pytest.mark.parametrize("playbook", ["provision", "images", "swarm", "deploy", "site"])
def test_after_a_run_a_check_finds_nothing(lab: Lab, playbook: str) -> None:
    """Broken: a nightly check cries wolf, and nobody looks any more."""
    check = lab.playbook(playbook, *SIZE, "--check").ok()
    assert check.changes == []
    assert check.changed == 0


@pytest.mark.parametrize(("playbook", "change", "named"), PENDING)
def test_a_check_names_the_change_and_does_not_make_it(
    lab: Lab, playbook: str, change: tuple[str, ...], named: str
) -> None:
    """Broken: an operator approves a run that does something else."""
    before = lab.status()
    check = lab.playbook(playbook, *SIZE, *change, "--check").ok()
    assert check.changed > 0, check.output
    assert named in check.output
    after = lab.status()
    assert [n["labels"] for n in after["nodes"]] == [n["labels"] for n in before["nodes"]]
    assert [s["wanted"] for s in after["services"]] == [s["wanted"] for s in before["services"]]
    assert lab.playbook(playbook, *SIZE, "--check").ok().changed == 0


def test_a_check_counts_an_image_that_the_registry_lacks(lab: Lab) -> None:
    """Broken: the run takes minutes to build what the check did not mention."""
    ecr = lab.client("ecr")
    repository = f"{CLUSTER}/{STACK}/api"
    images = ecr.list_images(repositoryName=repository)["imageIds"]
    ecr.batch_delete_image(repositoryName=repository, imageIds=images)
    check = lab.playbook("images", *SIZE, "--check").ok()
    assert check.changed == 1
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []
    assert lab.playbook("images", *SIZE).ok().changed == 1
    assert lab.playbook("images", *SIZE, "--check").ok().changed == 0
