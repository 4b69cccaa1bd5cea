"""Three managers, two of them lost: nothing can be decided, and every command says so."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from swarmctl.wait import wait_for
from tests.lab.support import CLUSTER, STACK, Lab, Playbook, healthy

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def leaderless(lab: Lab, grown: Playbook) -> Iterator[str]:
    """The only manager that is left."""
    lost = [f"{CLUSTER}_mgr2", f"{CLUSTER}_mgr3"]
    ids = [lab.instance(name)["InstanceId"] for name in lost]
    lab.ec2.stop_instances(InstanceIds=ids, Force=True)
    stopped = {"Delay": 1, "MaxAttempts": 60}
    lab.ec2.get_waiter("instance_stopped").wait(InstanceIds=ids, WaiterConfig=stopped)  # type: ignore[arg-type]  # a TypedDict
    # Until it notices that the others are gone, its Engine does not answer at all.
    wait_for("the manager to say so", lambda: says_so(lab), timeout=120)
    yield f"{CLUSTER}_mgr1"
    lab.ec2.start_instances(InstanceIds=ids)
    for name in lost:
        lab.wait_until_running(name)
    wait_for("every node to be ready", lambda: healthy(lab), timeout=180)


def says_so(lab: Lab) -> tuple[bool | None, str]:
    said = lab.swarmctl("status").stderr
    return (True if "no leader" in said else None), said


def test_each_command_says_that_there_is_no_leader_and_changes_nothing(
    lab: Lab, leaderless: str
) -> None:
    """Broken: a traceback, a wait without end, or a deploy that seems to have worked."""
    for words in (
        ["status"],
        ["stack", "deploy", STACK],
        ["chaos", "run", "drain", "--yes"],
        ["rebalance", "--yes"],
    ):
        done = lab.swarmctl(*words, timeout=240)
        assert done.returncode not in (0, 130), done.stdout
        assert "leader" in done.stderr, done.stderr
        assert "Traceback" not in done.stderr


def test_the_doctor_names_the_lost_managers_and_leaves_the_healthy_one_alone(
    lab: Lab, leaderless: str
) -> None:
    """Broken: it advises to restart Docker on the manager that still has the data."""
    found = lab.swarmctl("chaos", "doctor", "--format", "json", timeout=240)
    assert found.returncode == 1, found.stderr
    mends = [(one["place"], one["mend"]) for one in json.loads(found.stdout)["findings"]]
    for name in (f"{CLUSTER}_mgr2", f"{CLUSTER}_mgr3"):
        assert [m for place, m in mends if place == name and "start-instances" in m]
    assert [m for _, m in mends if "restart docker" in m] == []
