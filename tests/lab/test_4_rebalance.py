"""Replicas are spread while they serve, and an interrupted run keeps their number."""

import json
import signal
import subprocess
from collections.abc import Iterator

import pytest

from swarmctl.wait import wait_for
from tests.lab.support import BIN, CLUSTER, ROOT, Cluster, Lab

pytestmark = pytest.mark.timeout(180)

MANAGER = f"{CLUSTER}_mgr1"
CROWDED = f"{CLUSTER}_wkr3"
SERVICE, REPLICAS = "lopsided", 4
PINNED = f"node.hostname=={CROWDED}"


def docker(lab: Lab, words: str) -> str:
    """Run the docker CLI on the manager."""
    done = lab.ssh(MANAGER, f"docker {words}")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def running(lab: Lab) -> tuple[int, int]:
    """Running and wanted replicas, as Swarm counts them."""
    words = docker(lab, f"service ls --filter name={SERVICE} --format '{{{{.Replicas}}}}'")
    ready, _, wanted = words.partition("/")
    return int(ready), int(wanted)


@pytest.fixture
def lopsided(lab: Lab, cluster: Cluster) -> Iterator[None]:
    """A service whose replicas are all on one of the three workers that could take them."""

    def healthy() -> tuple[bool | None, str]:
        status = lab.status()
        return (True if status["healthy"] else None), str(status["nodes"])

    wait_for("the Swarm to be whole", healthy, timeout=90, interval=1)
    docker(
        lab,
        f"service create --quiet --detach --name {SERVICE} --replicas {REPLICAS} "
        f"--no-resolve-image --constraint {PINNED} --health-cmd true "
        "--health-interval 2s httpd:2.4",
    )
    try:
        all_run = (REPLICAS, REPLICAS)
        wait_for(
            "the service to run",
            lambda: ((True if (seen := running(lab)) == all_run else None), str(seen)),
            timeout=60,
        )
        # Swarm leaves where they are the tasks that a new constraint still allows.
        docker(
            lab,
            f"service update --quiet --detach --constraint-rm {PINNED} "
            f"--constraint-add node.role==worker {SERVICE}",
        )
        yield
    finally:
        docker(lab, f"service rm {SERVICE}")


def start(lab: Lab) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            str(BIN / "swarmctl"), "rebalance", "--yes", "--service", SERVICE,
            "--format", "json",
        ],
        cwd=ROOT,
        env=lab.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def test_replicas_are_spread_and_never_one_too_few_runs(lab: Lab, lopsided: None) -> None:
    """Broken: the next lost node costs twice as many replicas; or rebalancing stops some."""
    planned = lab.swarmctl("rebalance", "--dry-run", "--service", SERVICE, "--format", "json")
    (plan,) = json.loads(planned.stdout)["services"]
    assert (plan["spread_before"], plan["spread_after"]) == (REPLICAS, 1)
    assert running(lab) == (REPLICAS, REPLICAS)
    process = start(lab)
    seen = [running(lab)]
    while process.poll() is None:
        seen.append(running(lab))
    output, errors = process.communicate(timeout=10)
    assert process.returncode == 0, output + errors
    assert min(ready for ready, _ in seen) == REPLICAS
    assert max(wanted for _, wanted in seen) == REPLICAS + 1
    (done,) = json.loads(output)["services"]
    assert sorted(done["after"].values()) == [1, 1, 2]
    assert done["least_running"] == REPLICAS
    (there,) = [s for s in lab.status()["services"] if s["name"] == SERVICE]
    assert sorted(there["nodes"].values()) == [1, 1, 2]


def test_ctrl_c_in_the_middle_puts_the_number_back(lab: Lab, lopsided: None) -> None:
    """Broken: Ctrl-C leaves a service with one replica too many."""
    process = start(lab)

    def one_more() -> tuple[bool | None, str]:
        ready, wanted = running(lab)
        return (True if wanted == REPLICAS + 1 else None), f"{ready}/{wanted}"

    wait_for("the first move", one_more, timeout=30, interval=0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    ready, wanted = running(lab)
    assert wanted == REPLICAS
    assert ready >= REPLICAS
    assert docker(lab, "config ls --quiet --filter label=swarmctl.lock") == ""
