"""Twenty experiments, each killed by ``kill -9`` at a random moment and undone by the doctor.

Afterwards the Swarm's objects, the instances, and the nodes' tables, units and files are compared
with those before. The specs of services are compared, not their versions: a rebalance may change
the number of replicas and put it back. Tasks are not compared: they are to move.
"""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from swarmctl.wait import wait_for
from tests.lab.support import BIN, CLUSTER, ROOT, STACK, Lab, Playbook, healthy

pytestmark = [pytest.mark.long, pytest.mark.timeout(5400)]

LOG = logging.getLogger(__name__)
RUNS = int(os.environ.get("SWARMCTL_KILLS", "20"))
SEED = int(os.environ.get("SWARMCTL_KILL_SEED", "20"))
# From before the plan is stored to after the revert.
LATEST_S = 25.0

COMMANDS = (
    ("chaos", "run", "instance-stop"),
    ("chaos", "run", "instance-stop", "--force"),
    ("chaos", "run", "instance-reboot"),
    ("chaos", "run", "drain"),
    ("chaos", "run", "partition"),
    ("chaos", "run", "latency", "--duration", "5"),
    ("chaos", "run", "loss", "--duration", "5"),
    ("chaos", "run", "cpu", "--duration", "5"),
    ("chaos", "run", "disk-full", "--duration", "5", "--level", "60"),
    ("chaos", "run", "engine-kill"),
    ("chaos", "run", "engine-stop"),
    ("chaos", "run", "engine-pause"),
    ("chaos", "run", "task-kill", "--target", f"service:{STACK}_web"),
    ("rebalance", "--yes"),
)

SWARM = r"""
docker node inspect $(docker node ls -q) \
  --format '{{.ID}} {{.Description.Hostname}} {{json .Spec}}'
for kind in config secret network service; do
  ids=$(docker $kind ls -q)
  [ -z "$ids" ] || docker $kind inspect $ids --format "$kind {{.ID}} {{json .Spec}}" 2>/dev/null ||
    docker $kind inspect $ids --format "$kind {{.ID}} {{.Name}} {{.Driver}} {{.Scope}}"
done | grep -v ' local$'
"""

# What experiments may leave on a node; Docker's own rules follow its tasks and are left out.
NODE = r"""
sudo -n sh <<'END'
export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin
device=$(ip -o route get 203.0.113.7 | sed 's/.* dev //; s/ .*//')
tc qdisc show dev "$device" | sed 's/^/tc: /'
nft list tables | sed 's/^/nft: /'
for chain in INPUT OUTPUT FORWARD DOCKER-USER; do
  iptables -S "$chain" 2>/dev/null | sed "s/^/iptables: /"
done
systemctl list-units --type=service --state=running,failed --plain --no-legend |
  sed 's/ .*//; s/^/unit: /' | grep -v 'user@'
systemctl list-units --all --plain --no-legend 'swarmctl*' | sed 's/^/ours: /'
ps -eo stat=,args= | grep '^T' | sed 's/^/stopped: /'
ps -eo args= | grep swarmctl-chaos | grep -v grep | sed 's/^/process: /'
find /run/swarmctl-chaos /var/lib/swarmctl-chaos 2>/dev/null
find /var/lib /var/lib/docker /opt /usr/local /root /home -maxdepth 1
find /etc -xdev -type f -exec sha256sum {} +
END
"""


def state(lab: Lab) -> dict[str, set[str]]:
    """What must be the same before and after, by place."""
    found = {"EC2": instances(lab)}
    nodes = lab.status()["nodes"]
    leader = next(node["name"] for node in nodes if node["leader"])
    found["Swarm"] = lines(lab, leader, SWARM)
    return found | {node["name"]: lines(lab, node["name"], NODE) for node in nodes}


def instances(lab: Lab) -> set[str]:
    reservations = lab.ec2.describe_instances()["Reservations"]
    return {
        f"{i['InstanceId']} {i['State']['Name']} {i.get('PrivateIpAddress')} "
        f"{sorted((t['Key'], t['Value']) for t in i.get('Tags', ()))}"
        for r in reservations
        for i in r["Instances"]
    }


def lines(lab: Lab, node: str, script: str) -> set[str]:
    done = lab.ssh(node, script)
    assert done.stdout, f"{node}: {done.stderr}"
    return set(done.stdout.splitlines())


def differences(before: dict[str, set[str]], after: dict[str, set[str]]) -> list[str]:
    places = sorted({*before, *after})
    return [
        f"{place}: {sign} {line}"
        for place in places
        for sign, one, other in (("-", before, after), ("+", after, before))
        for line in sorted(one.get(place, set()) - other.get(place, set()))
    ]


def kill_one(lab: Lab, runs: Path, words: tuple[str, ...], after_s: float) -> str:
    """Start a command and kill it; what was going on at that moment."""
    known = set(runs.glob("*/journal.json"))
    options = ("--runs-dir", str(runs), "--probe-service", "none") if words[0] == "chaos" else ()
    process = subprocess.Popen(
        [str(BIN / "swarmctl"), *words, *options],
        cwd=ROOT,
        env=lab.env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(after_s)
        return f"ended with {process.returncode}"
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
    new = set(runs.glob("*/journal.json")) - known
    return str(json.loads(new.pop().read_text())["phase"]) if new else "no journal"


def test_twenty_killed_runs_leave_nothing(lab: Lab, grown: Playbook, tmp_path: Path) -> None:
    """Broken: a crash of swarmctl leaves something that `chaos doctor --fix` does not undo."""
    runs, draw = tmp_path / "runs", random.Random(SEED)
    wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=120, interval=1)
    before = state(lab)
    killed = 0
    for number in range(1, RUNS + 1):
        words, after_s = draw.choice(COMMANDS), draw.uniform(1.0, LATEST_S)
        seed = ("--seed", str(number)) if words[:2] == ("chaos", "run") else ()
        phase = kill_one(lab, runs, (*words, *seed), after_s)
        killed += not phase.startswith("ended")
        began = time.monotonic()
        done = lab.swarmctl("chaos", "doctor", "--fix", "--runs-dir", str(runs), timeout=600)
        took = time.monotonic() - began
        what = f"{number}. {' '.join(words)} killed after {after_s:.1f} s ({phase})"
        LOG.info("%s; doctor %d in %.0f s", what, done.returncode, took)
        assert done.returncode == 0, f"{what}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        wait_for(f"the Swarm to be whole after {what}", lambda: healthy(lab), timeout=180)
    assert killed > RUNS // 2, f"only {killed} runs were killed: the others had ended"
    assert differences(before, state(lab)) == []
    journals = [json.loads(path.read_text()) for path in runs.glob("*/journal.json")]
    assert {one["undo"]["state"] for one in journals} <= {"none", "done"}
    assert all(name.startswith(CLUSTER) for name in before if name not in ("EC2", "Swarm"))
