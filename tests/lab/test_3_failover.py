"""The main promise: a node really dies, every replica comes back, and nothing is left behind."""

import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from swarmctl.wait import wait_for
from tests.lab.support import (
    BIN,
    CLUSTER,
    NAME,
    ROOT,
    STACK,
    Cluster,
    Lab,
    healthy,
    journal,
    serving_on,
)

pytestmark = pytest.mark.timeout(420)

WORKER = f"{CLUSTER}_wkr2"
PINNED = f"{CLUSTER}_wkr1"  # where the database is
# Swarm may forget the host ports of tasks when an agent's session with the managers is renewed;
# a run that would probe them is then refused. These tests are not about probes.
WITHOUT_PROBES = ("--probe-service", "none")


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A separate runs directory for each test."""
    return tmp_path / "runs"


def chaos(lab: Lab, runs: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return lab.swarmctl(
        "chaos", "run", "instance-stop", "--runs-dir", str(runs), *words, timeout=400
    )


def busy_worker(lab: Lab) -> str:
    """The worker with the most replicas, without the database's: a node that came back is empty."""
    status = lab.status()
    workers = [n["name"] for n in status["nodes"] if n["role"] == "worker" and n["name"] != PINNED]
    return str(max(workers, key=lambda name: serving_on(status, name)))


@pytest.fixture(autouse=True)
def swarm_is_whole(lab: Lab, cluster: Cluster) -> None:
    """Each test starts with a healthy Swarm."""
    wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=90, interval=1)


def test_closing_vxlan_between_workers_is_noticed_by_the_probe(lab: Lab, cluster: Cluster) -> None:
    """Broken: status shows 15/15 although no request succeeds."""
    status = lab.status()
    assert status["healthy"]
    group = lab.instance(f"{CLUSTER}_wkr1")["SecurityGroups"][0]["GroupId"]
    permissions = lab.ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]
    vxlan = [
        {
            "IpProtocol": "udp",
            "FromPort": 4789,
            "ToPort": 4789,
            "UserIdGroupPairs": p["UserIdGroupPairs"],  # as they are: they must match
        }
        for p in permissions["IpPermissions"]
        if p.get("FromPort") == 4789
    ]
    assert vxlan
    lab.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=vxlan)  # type: ignore[arg-type]  # built from its own answer
    try:
        failed = wait_for("requests to fail", lambda: answers(lab, wanted=False), timeout=30)
        assert failed
    finally:
        lab.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=vxlan)  # type: ignore[arg-type]  # as above
        wait_for("requests to succeed again", lambda: answers(lab, wanted=True), timeout=60)


def test_a_stopped_workers_replicas_are_replaced_and_it_returns(lab: Lab, runs: Path) -> None:
    """Broken: the main promise, that every replica comes back after a node dies."""
    worker = busy_worker(lab)
    done = chaos(lab, runs, "--target", worker)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    record = journal(runs)
    assert record["outcome"] == "held"
    assert record["verdict"]["held"] is True
    assert record["undo"]["state"] == "done"
    lost = {s["service"]: s["lost"] for s in record["verdict"]["services"]}
    assert sum(lost.values()) > 0, "the node that was stopped ran nothing: this proves nothing"
    for service in record["verdict"]["services"]:
        assert service["stayed"] + service["replaced"] == service["wanted"]
    assert all(nodes.get(worker, 0) == 0 for nodes in record["after"].values())
    (probes,) = record["probes"]
    assert probes["sent"] > 50
    assert lab.instance(worker)["State"]["Name"] == "running"
    report = next(runs.glob("*/report.html")).read_text()
    assert "<svg" in report
    assert "http-equiv" not in report
    assert str(next(runs.glob("*/report.html"))) in done.stdout + done.stderr


def test_a_down_nodes_replicas_are_never_counted(lab: Lab, cluster: Cluster) -> None:
    """Broken: status shows 10/10 although three replicas are gone."""
    worker = busy_worker(lab)
    instance = lab.instance(worker)["InstanceId"]
    assert serving_on(lab.status(), worker) > 0
    lab.ec2.stop_instances(InstanceIds=[instance], Force=True)
    try:

        def down() -> tuple[dict[str, Any] | None, str]:
            status = lab.status()
            (node,) = [n for n in status["nodes"] if n["name"] == worker]
            return (status if node["state"] == "down" else None), node["state"]

        status = wait_for("the node to be down", down, timeout=60, interval=0.1)
        assert serving_on(status, worker) == 0
        assert sum(s["running"] for s in status["services"]) > 0
    finally:
        lab.ec2.get_waiter("instance_stopped").wait(
            InstanceIds=[instance], WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        lab.ec2.start_instances(InstanceIds=[instance])
        lab.wait_until_running(worker)


def test_the_node_of_a_pinned_database_refutes_the_hypothesis(lab: Lab, runs: Path) -> None:
    """Broken: a service that cannot move is reported as redistributed."""
    done = chaos(lab, runs, "--target", PINNED, "--timeout", "40", *WITHOUT_PROBES)
    assert done.returncode == 1, done.stdout[-3000:] + done.stderr[-3000:]
    record = journal(runs)
    assert record["outcome"] == "refuted"
    (db,) = [s for s in record["verdict"]["services"] if s["service"] == f"{STACK}_db"]
    assert db["replaced"] == 0
    assert "no suitable node" in " ".join(db["reasons"])
    assert record["undo"]["state"] == "done"
    assert lab.instance(PINNED)["State"]["Name"] == "running"


def test_losing_the_only_manager_is_refused_and_nothing_is_touched(lab: Lab, runs: Path) -> None:
    """Broken: swarmctl itself takes the Swarm down."""
    done = chaos(lab, runs, "--target", f"{CLUSTER}_mgr1")
    assert done.returncode == 3
    assert "quorum" in done.stderr.lower()
    assert lab.instance(f"{CLUSTER}_mgr1")["State"]["Name"] == "running"


def test_an_unknown_node_is_answered_with_the_known_ones(lab: Lab, runs: Path) -> None:
    """Broken: a typing error takes half an hour to find."""
    done = chaos(lab, runs, "--target", f"{CLUSTER}_wkr22")
    assert done.returncode == 2
    assert f"did you mean '{CLUSTER}_wkr2'" in done.stderr
    assert f"{CLUSTER}_wkr3" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_run_that_is_told_to_end_starts_the_instance_again(
    lab: Lab, runs: Path, name: str
) -> None:
    """Broken: Ctrl-C leaves a node stopped."""
    process = start_run(lab, runs)
    wait_until_stopping(lab)
    process.send_signal(signal.Signals[name])
    output = output_of(lab, process)
    assert process.returncode == 130, output[-3000:]
    assert journal(runs)["undo"]["state"] == "done"
    assert lab.instance(WORKER)["State"]["Name"] == "running"


def test_after_kill_9_revert_puts_the_instance_back_once(lab: Lab, runs: Path) -> None:
    """Broken: a crash of swarmctl leaves a node stopped."""
    process = start_run(lab, runs)
    wait_until_stopping(lab)
    process.kill()
    process.communicate(timeout=30)
    assert journal(runs)["undo"]["state"] == "planned"
    refused = chaos(lab, runs, "--target", WORKER)
    assert refused.returncode == 3
    assert "chaos revert" in refused.stderr
    for _ in range(2):  # the second time there is nothing left to do
        reverted = lab.swarmctl("chaos", "revert", "--runs-dir", str(runs))
        assert reverted.returncode == 0, reverted.stderr
    assert lab.instance(WORKER)["State"]["Name"] == "running"


def start_run(lab: Lab, runs: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            str(BIN / "swarmctl"), "chaos", "run", "instance-stop",
            "--target", WORKER, "--runs-dir", str(runs), *WITHOUT_PROBES,
        ],
        cwd=ROOT,
        env=lab.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip


def output_of(lab: Lab, process: subprocess.Popen[str]) -> str:
    """What a run has said when it has ended; if it does not end, the lab's side of it too."""
    try:
        return process.communicate(timeout=120)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        said = process.communicate()[0]
        log = lab.swarmctl("lab", "logs", "--name", NAME).stdout
        pytest.fail(f"it has not ended within 120 s: {said[-3000:]}\nthe lab's log: {log[-3000:]}")


def wait_until_stopping(lab: Lab) -> None:
    def gone() -> tuple[bool | None, str]:
        state = lab.instance(WORKER)["State"]["Name"]
        return (True if state in ("stopping", "stopped") else None), f"it is {state}"

    wait_for("the fault", gone, timeout=60, interval=0.05)


def answers(lab: Lab, *, wanted: bool) -> tuple[bool | None, str]:
    """Whether every web replica, asked once, gets a row (``wanted``) or at least one does not."""
    web = next(s for s in lab.status()["services"] if s["name"] == f"{STACK}_web")
    # On the database's own node a request may need no other node.
    places = {
        (lab.address(p["node"] or WORKER), p["published"])
        for p in web["ports"]
        if p["node"] != PINNED
    }
    assert places, "no published port was found"
    codes = [
        lab.run(
            "curl", "-s", "-o", "/dev/null", "-m", "4", "-w", "%{http_code}",
            f"http://{address}:{port}/api/message",
        ).stdout
        for address, port in sorted(places)[:4]
    ]  # fmt: skip
    good = all(code == "200" for code in codes)
    return (True if good is wanted else None), f"answers: {codes}"
