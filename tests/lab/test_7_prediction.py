"""`chaos predict` agrees with a real Swarm: random Swarms, one node killed, placement compared.

``SWARMCTL_PREDICTION_SCENARIOS`` says how many (default 6, about 20 s each) and
``SWARMCTL_PREDICTION_SEED`` which (default 1000). The tests have their own machines, in
their own VPC, with a heartbeat of one second.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from swarmctl.lab.api import GOLDEN_AMI
from swarmctl.lab.machine import container_name
from swarmctl.prediction import Predictor
from swarmctl.swarm.parse import parse_swarm
from swarmctl.wait import wait_for
from tests.lab.helpers.prediction import Bench, Trial, draw
from tests.lab.support import NAME, Lab

SCENARIOS = int(os.environ.get("SWARMCTL_PREDICTION_SCENARIOS", "6"))
SEED = int(os.environ.get("SWARMCTL_PREDICTION_SEED", "1000"))
MACHINES = 6

pytestmark = [pytest.mark.long, pytest.mark.timeout(600 + 240 * SCENARIOS)]


class LabMachines:
    """Instances of the lab; named as the Swarm names them."""

    def __init__(self, lab: Lab, instances: Sequence[str]) -> None:
        self._lab = lab
        self._instances = {self._run(i, "hostname").strip(): i for i in instances}

    @property
    def names(self) -> Sequence[str]:
        """Host names."""
        return list(self._instances)

    def run(self, name: str, script: str, stdin: str = "") -> str:
        """Run a shell script on a machine."""
        return self._run(self._instances[name], script, stdin)

    def _run(self, instance: str, script: str, stdin: str = "") -> str:
        # Not docker-py: it loses its place in a long answer ("108 is not a valid stream").
        container = container_name(NAME, instance)
        done = subprocess.run(
            ["docker", "exec", "-i", container, "bash", "-o", "pipefail", "-c", script],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{instance}: {script[:200]}: {done.stderr[-500:]}"
        return done.stdout

    def kill(self, name: str) -> None:
        """Cut the power, with the EC2 API."""
        self._lab.ec2.stop_instances(InstanceIds=[self._instances[name]], Force=True)

    def revive(self, name: str) -> None:
        """Start a machine if it is stopped."""
        instance = self._instances[name]
        if self._state(instance) == "running":
            return
        self._wait(instance, "stopped")
        self._lab.ec2.start_instances(InstanceIds=[instance])
        self._wait(instance, "running")

    def _wait(self, instance: str, state: str) -> None:
        def look() -> tuple[bool | None, str]:
            seen = self._state(instance)
            return (True if seen == state else None), f"it is {seen}"

        wait_for(f"{instance} to be {state}", look, timeout=120)

    def _state(self, instance: str) -> str:
        found = self._lab.ec2.describe_instances(InstanceIds=[instance])
        return str(found["Reservations"][0]["Instances"][0]["State"]["Name"])


@pytest.fixture(scope="module")
def bench(lab: Lab) -> Iterator[Bench]:
    """A Swarm of six machines that nothing else uses."""
    ec2 = lab.ec2
    vpc = ec2.create_vpc(CidrBlock="10.92.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.92.1.0/24")["Subnet"]["SubnetId"]
    group = ec2.create_security_group(VpcId=vpc, GroupName="prediction", Description="the tests'")
    group_id = group["GroupId"]
    instances: list[str] = []
    try:
        ec2.authorize_security_group_ingress(
            GroupId=group_id,
            IpPermissions=[
                {
                    "IpProtocol": protocol,
                    "FromPort": 0,
                    "ToPort": 65535,
                    "UserIdGroupPairs": [{"GroupId": group_id}],
                }
                for protocol in ("tcp", "udp")
            ],
        )
        run = ec2.run_instances(
            ImageId=GOLDEN_AMI,
            MinCount=MACHINES,
            MaxCount=MACHINES,
            SubnetId=subnet,
            SecurityGroupIds=[group_id],
        )
        instances = [i["InstanceId"] for i in run["Instances"]]
        ec2.get_waiter("instance_running").wait(
            InstanceIds=instances, WaiterConfig={"Delay": 1, "MaxAttempts": 180}
        )
        made = Bench(LabMachines(lab, instances))
        made.form(run["Instances"][0]["PrivateIpAddress"])
        yield made
    finally:
        if instances:
            ec2.terminate_instances(InstanceIds=instances)
            ec2.get_waiter("instance_terminated").wait(
                InstanceIds=instances, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
            )
        ec2.delete_security_group(GroupId=group_id)
        ec2.delete_subnet(SubnetId=subnet)
        ec2.delete_vpc(VpcId=vpc)


def test_a_real_swarm_does_what_was_predicted(bench: Bench, tmp_path: Path) -> None:
    """Broken: replicas end up on other nodes than predicted, or stay pending."""
    trials = [bench.try_out(draw(SEED + n, MACHINES)) for n in range(SCENARIOS)]
    counted = [t for t in trials if not t.disturbed]
    wrong = [t for t in counted if not t.agrees]
    assert not wrong, "\n".join(_story(t, tmp_path) for t in wrong)
    words = [t for t in counted if not t.reasons_agree]
    assert not words, "\n".join(_story(t, tmp_path) for t in words)
    assert len(counted) * 2 > len(trials), "too many containers failed to start by themselves"


def test_replicas_are_placed_in_batches_3_7_7(bench: Bench, tmp_path: Path) -> None:
    """Broken: the model places one task after the other and predicts 6/6/5."""
    trial = bench.uneven()
    seen = sorted(trial.counts["web"].values())
    assert seen == [3, 7, 7], _story(trial, tmp_path)
    assert trial.agrees, _story(trial, tmp_path)


def test_the_loss_of_two_nodes_at_once_is_predicted(bench: Bench, tmp_path: Path) -> None:
    """Broken: tasks placed on the second node before its death is noticed are forgotten."""
    scenarios = (draw(SEED + 900 + n, MACHINES) for n in range(40))
    trial = bench.try_out(next(s for s in scenarios if s.nodes >= 5), kills=2)
    assert trial.disturbed or trial.agrees, _story(trial, tmp_path)


def test_a_stored_snapshot_predicts_the_same_as_a_live_swarm(bench: Bench) -> None:
    """Broken: `swarmctl snapshot` omits data that the prediction needs."""
    live = bench.snapshot()
    stored = json.loads(json.dumps(live))
    lost = live["nodes"][-1]["ID"]
    now = Predictor(parse_swarm(live)).predict([lost])
    assert Predictor(parse_swarm(stored)).predict([lost]) == now


def _story(trial: Trial, folder: Path) -> str:
    """Observation, prediction, and a file of the snapshot to reproduce it."""
    path = folder / f"scenario-{trial.scenario.seed}.json"
    path.write_text(json.dumps(trial.snapshot))
    outcomes = "\n".join(f"    {o.counts} {o.pending}" for o in trial.prediction.outcomes[:5])
    return (
        f"scenario {trial.scenario.seed}: lost {trial.prediction.loss.nodes}\n"
        f"  saw {trial.counts} pending {trial.pending} {trial.errors}\n"
        f"  predicted {len(trial.prediction.outcomes)}:\n{outcomes}\n  snapshot: {path}"
    )
