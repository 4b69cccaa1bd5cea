"""Every fault for real, on three managers and four workers in three zones.

The tests marked ``long`` are left out of ``make test``; ``make proof`` runs them all.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from swarmctl.wait import wait_for
from tests.lab.support import (
    BIN,
    CLUSTER,
    ROOT,
    STACK,
    Lab,
    Playbook,
    healthy,
    journal,
)

pytestmark = pytest.mark.timeout(600)

WORKER = f"{CLUSTER}_wkr4"
SPARE = f"{CLUSTER}_wkr2"
PINNED = f"{CLUSTER}_wkr1"  # where the database is


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A separate runs directory for each test."""
    return tmp_path / "runs"


@pytest.fixture(autouse=True)
def swarm_is_whole(lab: Lab, grown: Playbook) -> None:
    """Each test starts with a healthy Swarm."""
    wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=120, interval=1)


def run(
    lab: Lab, runs: Path, *words: str, code: int = 0, failing: list[str] | None = None
) -> dict[str, Any]:
    """Run an experiment, check its exit code, and return its journal."""
    done = lab.swarmctl("chaos", "run", *words, "--runs-dir", str(runs), timeout=500)
    assert done.returncode == code, done.stdout[-3000:] + done.stderr[-4000:]
    record = journal(runs)
    assert record["undo"]["state"] == "done"
    if record["prediction"] and record["prediction"]["exhaustive"]:
        # None: nothing differs, and services whose replicas fail by themselves prove nothing.
        agreement = record["agreement"]
        assert agreement["agrees"] or (agreement["agrees"], agreement["left_out"]) == (
            None,
            failing,
        )
    return record


def kinds(record: dict[str, Any]) -> list[str]:
    return [mark["kind"] for mark in record["marks"]]


def lost(record: dict[str, Any]) -> int:
    return sum(service["lost"] for service in record["verdict"]["services"])


def replicas_went_elsewhere(record: dict[str, Any]) -> None:
    assert lost(record) > 0, "the node ran nothing: this proves nothing"
    assert all(counts.get(WORKER, 0) == 0 for counts in record["after"].values())


def leader(lab: Lab) -> str:
    return str(next(node["name"] for node in lab.status()["nodes"] if node["leader"]))


@pytest.mark.long  # in short: the drain of the experiment file, and the partition
@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["drain"], id="drain"),
        pytest.param(["engine-pause"], id="engine-pause"),
        pytest.param(["instance-stop", "--force"], id="instance-stop-force"),
        pytest.param(["engine-stop"], id="engine-stop"),
    ],
)
def test_replicas_are_replaced_however_the_node_fails(
    lab: Lab, runs: Path, words: list[str]
) -> None:
    """Broken: the Swarm recovers from one kind of failure only."""
    fill(lab, WORKER)
    record = run(lab, runs, *words, "--target", WORKER)
    assert record["outcome"] == "held"
    replicas_went_elsewhere(record)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(
            ["task-kill", "--target", f"service:{STACK}_web", "--percent", "30"], id="task"
        ),
        pytest.param(["engine-kill", "--target", WORKER], id="engine-kill", marks=pytest.mark.long),
        pytest.param(["instance-reboot", "--target", WORKER], id="reboot", marks=pytest.mark.long),
        pytest.param(
            ["disk-full", "--target", WORKER, "--duration", "8", "--level", "60"],
            id="disk-full",
            marks=pytest.mark.long,
        ),
        pytest.param(
            ["cpu", "--target", WORKER, "--duration", "10"], id="cpu", marks=pytest.mark.long
        ),
        pytest.param(
            ["memory", "--target", WORKER, "--duration", "10", "--level", "40"],
            id="memory",
            marks=pytest.mark.long,
        ),
    ],
)
def test_the_swarm_is_healthy_after_absence_or_pressure(
    lab: Lab, runs: Path, words: list[str]
) -> None:
    """Broken: replicas are missing after a crash, a restart or a full disk."""
    fill(lab, WORKER)
    assert run(lab, runs, *words)["outcome"] == "held"


def test_quorum_remains_when_a_zone_loses_power(lab: Lab, runs: Path) -> None:
    """Broken: the loss of one zone of three takes the Swarm down."""
    record = run(lab, runs, "az-outage", "--az", small_zone(lab), "--yes")
    assert {target["role"] for target in record["targets"]} == {"manager", "worker"}
    assert record["outcome"] == "held"


def test_another_manager_leads_when_the_leader_dies(lab: Lab, runs: Path) -> None:
    """Broken: the Swarm cannot be changed after its leader has died."""
    before = leader(lab)
    record = run(lab, runs, "leader-kill", "--timeout", "150")
    assert record["targets"][0]["node"] == before
    assert leader(lab) != before


def test_a_node_that_is_cut_off_keeps_running_and_is_reconnected(lab: Lab, runs: Path) -> None:
    """Broken: replicas that run twice are not reported, or keep running after the partition."""
    fill(lab, WORKER)
    record = run(lab, runs, "partition", "--target", WORKER, "--timeout", "60")
    assert record["outcome"] == "held"
    assert sum(record["duplicates"].values()) > 0
    assert kinds(record).index("duplicates") < kinds(record).index("healed")
    assert "duplicates-gone" in kinds(record)
    assert leftovers(lab, WORKER) == ""


def test_revert_ends_a_partition_after_kill_9(lab: Lab, runs: Path) -> None:
    """Broken: a crash of swarmctl leaves a node cut off."""
    process = start(lab, runs, "partition", "--target", SPARE, "--probe-service", "none")
    wait_until_cut_off(lab, SPARE)
    process.kill()
    process.communicate(timeout=30)
    refused = lab.swarmctl(
        "chaos", "run", "drain", "--target", WORKER, "--runs-dir", str(runs / "b")
    )
    assert refused.returncode == 3, refused.stderr[-2000:]
    assert "no-other-experiment" in refused.stderr
    # Without the directory of the run: the plan is in the Swarm's lock, too.
    done = lab.swarmctl("chaos", "revert", "--from-swarm", "--runs-dir", str(runs / "c"))
    assert done.returncode == 0, done.stderr[-3000:]
    assert leftovers(lab, SPARE) == ""
    again = lab.swarmctl("chaos", "revert", "--runs-dir", str(runs))
    assert again.returncode == 0, again.stderr[-3000:]


@pytest.mark.long
def test_a_partition_ends_by_itself_after_kill_9(lab: Lab, runs: Path) -> None:
    """Broken: a node stays cut off if neither swarmctl nor SSH can reach it."""
    words = ("--target", SPARE, "--timeout", "5", "--probe-service", "none")
    process = start(lab, runs, "partition", *words)
    wait_until_cut_off(lab, SPARE)
    process.kill()
    process.communicate(timeout=30)
    begin = time.monotonic()

    def healed() -> tuple[bool | None, str]:
        left = leftovers(lab, SPARE)
        return (None if left else True), left

    # The time limit and 120 s more (docs/chaos/partition.md).
    wait_for("the node's own timer to heal it", healed, timeout=180, interval=2)
    assert time.monotonic() - begin > 20, "it was not the timer"
    assert lab.swarmctl("chaos", "revert", "--runs-dir", str(runs)).returncode == 0


@pytest.mark.long
def test_a_terminated_machine_is_replaced(lab: Lab, runs: Path) -> None:
    """Broken: a terminated node is not replaced, and stays in the Swarm's list."""
    before = lab.instance(SPARE)["InstanceId"]
    playbook = f"{BIN / 'ansible-playbook'} playbooks/site.yml"
    record = run(
        lab, runs, "instance-terminate", "--target", SPARE, "--yes",
        "--replace-with", f"{playbook} -e managers=3 -e workers=4",
    )  # fmt: skip
    assert record["outcome"] == "held"
    assert lab.instance(SPARE)["InstanceId"] != before
    names = [node["name"] for node in lab.status()["nodes"]]
    assert names.count(SPARE) == 1


# So long the health check of `sick` passes, in seconds.
WELL_S = 25


@pytest.fixture
def doomed(lab: Lab) -> Iterator[None]:
    """Services that cannot survive the loss of a worker, each for another reason."""
    manager = leader(lab)
    one_each = "--replicas 4 --constraint node.role==worker --restart-delay 1s"
    # It passes for whoever started before the fault, and for nobody after.
    limit = f"$(($(date +%s) + {WELL_S}))"
    check = f'"test -e /tmp/ok || {{ test \\$(date +%s) -lt {limit} && touch /tmp/ok; }}"'
    services = {
        "none": "--restart-condition none --replicas-max-per-node 1",
        "room": "--reserve-memory 13g",
        "sick": f"--health-cmd {check} --health-interval 1s --health-retries 2",
    }
    try:
        for name, options in services.items():
            words = f"--detach --no-resolve-image --name {name} {one_each} {options}"
            done = lab.ssh(manager, f"docker service create {words} httpd:2.4 sleep 3600")
            assert done.returncode == 0, done.stderr
        wait_for("them to run", lambda: healthy(lab), timeout=60, interval=0.5)
        yield
    finally:
        lab.ssh(leader(lab), f"docker service rm {' '.join(services)}")


@pytest.mark.long
def test_a_service_that_cannot_recover_refutes_with_the_reason(
    lab: Lab, runs: Path, doomed: None
) -> None:
    """Broken: the verdict is held although a service has lost a replica for good."""
    refused = lab.swarmctl(
        "chaos", "run", "instance-stop", "--force", "--target", WORKER, "--runs-dir", str(runs)
    )
    assert refused.returncode == 3
    assert "guard capacity" in refused.stderr
    assert "insufficient resources" in refused.stderr
    for path in runs.glob("*/journal.json"):
        path.unlink()
    wait_for("the healthy time to be over", lambda: over(lab), timeout=60)
    record = run(
        lab, runs, "instance-stop", "--force", "--target", WORKER, "--timeout", "40",
        "--override", "capacity", "--probe-service", "none",
        code=1, failing=["sick"],
    )  # fmt: skip
    assert record["outcome"] == "refuted"
    reasons = {s["service"]: " ".join(s["reasons"]) for s in record["verdict"]["services"]}
    assert "not replaced" in reasons["none"]
    assert "cannot come back (restart condition none)" in record["verdict"]["sentence"]
    assert "insufficient resources" in reasons["room"]
    assert reasons["sick"]
    assert not reasons[f"{STACK}_web"]


def over(lab: Lab) -> tuple[bool | None, str]:
    """Whether the doomed health check now fails for every new task."""
    words = "docker service inspect sick --format '{{.CreatedAt.Unix}}'; date +%s"
    created, now = map(int, lab.ssh(leader(lab), words).stdout.split())
    return (True if now > created + WELL_S else None), f"{now - created} s old"


def test_an_experiment_file_runs_as_written_and_writes_junit(
    lab: Lab, runs: Path, tmp_path: Path
) -> None:
    """Broken: CI runs something else than the file says."""
    fill(lab, WORKER)
    path = tmp_path / "experiment.yml"
    path.write_text(
        f"""version: 1
name: a-worker-is-drained
fault: drain
targets: {{names: [{WORKER}]}}
hypothesis:
  within: 60s
  never-below: {{{STACK}_web: 1}}
  probes:
    - {{service: {STACK}_web, path: /, success: 50%}}
"""
    )
    done = lab.swarmctl(
        "chaos", "run", str(path), "--runs-dir", str(runs), "--junit", str(tmp_path / "j.xml")
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert journal(runs)["title"] == "a-worker-is-drained"
    replicas_went_elsewhere(journal(runs))
    assert "<testsuite" in (tmp_path / "j.xml").read_text()


@pytest.mark.long
def test_rolling_takes_every_worker_in_turn(lab: Lab, runs: Path) -> None:
    """Broken: the next node is hit before the last one is back."""
    done = lab.swarmctl(
        "chaos", "run", "drain", "--rolling", "--target", "role:worker", "--target",
        f"az:{small_zone(lab)}", "--runs-dir", str(runs), timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = [json.loads(path.read_text()) for path in sorted(runs.glob("*/journal.json"))]
    assert [record["outcome"] for record in found] == ["held"] * len(found)
    assert len(found) >= 1


def test_nothing_is_left_behind(lab: Lab, runs: Path) -> None:
    """Broken: timers, rules and locks of the runs above remain."""
    done = lab.swarmctl("chaos", "doctor", "--runs-dir", str(runs))
    assert done.returncode == 0, done.stdout + done.stderr


# -- small things -------------------------------------------------------------------------------


def small_zone(lab: Lab) -> str:
    """A zone of one manager and one worker, without the database."""
    zones: dict[str, list[str]] = {}
    for node in lab.status()["nodes"]:
        zones.setdefault(node["labels"]["az"], []).append(node["name"])
    return next(z for z, names in zones.items() if len(names) == 2 and PINNED not in names)


def fill(lab: Lab, node: str) -> None:
    """Place replicas on the node: Swarm leaves a node that came back empty."""
    status = lab.status()
    if any(service["nodes"].get(node) for service in status["services"]):
        return
    done = lab.swarmctl("rebalance", "--yes", timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


def start(lab: Lab, runs: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(BIN / "swarmctl"), "chaos", "run", *words, "--runs-dir", str(runs)],
        cwd=ROOT,
        env=lab.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def leftovers(lab: Lab, node: str) -> str:
    """Packet filters and timers of experiments on a node."""
    return lab.ssh(
        node, "sudo nft list tables | grep chaos_; systemctl list-units --all | grep swarmctl-chaos"
    ).stdout


def wait_until_cut_off(lab: Lab, node: str) -> None:
    def cut() -> tuple[bool | None, str]:
        found = lab.ssh(node, "sudo nft list tables").stdout
        return (True if "chaos_" in found else None), found

    wait_for("the partition", cut, timeout=60, interval=0.2)
