"""What docs/security.md says is set is set; and no secret is where others read it."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path

import pytest

from swarmctl.wait import wait_for
from tests.lab.support import CLUSTER, ROOT, STACK, Lab, Playbook, healthy
from tests.lab.test_6_ha.conftest import SIZE

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

MANAGER = f"{CLUSTER}_mgr1"


@pytest.fixture(scope="module")
def run(lab: Lab) -> Playbook:
    """A run of all, with everything that Ansible can print."""
    done = lab.playbook("site", *SIZE, "-e", "swarm_dispatcher_heartbeat=4", "-vvv").ok()
    wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=180, interval=1)
    return done


def secrets(lab: Lab) -> dict[str, str]:
    """Secrets of the cluster that somebody could have written somewhere."""
    cluster = Path(lab.env["SWARMCTL_STATE"]) / "clusters" / CLUSTER
    tokens = {
        role: lab.ssh(MANAGER, f"docker swarm join-token -q {role}").stdout.strip()
        for role in ("manager", "worker")
    }
    read = "docker exec $(docker ps -qf name={0}_db) sh -c 'cat /run/secrets/*'"
    node = next(
        n for s in lab.status()["services"] if s["name"] == f"{STACK}_db" for n in s["nodes"]
    )
    found = {
        **tokens,
        "database": lab.ssh(node, read.format(STACK)).stdout.strip(),
        "SSH key": (cluster / "id_ed25519").read_text().splitlines()[2],
        "AWS": lab.env["AWS_SECRET_ACCESS_KEY"],
    }
    assert all(len(value) > 8 for value in found.values()), [k for k, v in found.items() if not v]
    return found


def user_data(lab: Lab) -> str:
    """What every instance can read of its launch template."""
    name = f"{CLUSTER}_node_template"
    found = lab.ec2.describe_launch_template_versions(LaunchTemplateName=name)
    data = [v["LaunchTemplateData"]["UserData"] for v in found["LaunchTemplateVersions"]]
    return "".join(base64.b64decode(each).decode() for each in data)


def test_what_protects_the_cluster_is_set(lab: Lab, run: Playbook) -> None:
    """Broken: the document says one thing, and the machines another."""
    done = lab.swarmctl("audit", "--security", "--format", "json")
    checks = json.loads(done.stdout)["checks"]
    assert [c for c in checks if c["ok"] is not True] == [], done.stderr
    assert done.returncode == 0
    named = re.findall(r"^\| `([a-z-]+)` \|", (ROOT / "docs/security.md").read_text(), re.M)
    assert {c["name"] for c in checks} == set(named), "docs/security.md has other checks"


def test_no_secret_is_in_output_processes_tags_journals_or_logs(
    lab: Lab, run: Playbook, tmp_path: Path
) -> None:
    """Broken: who reads a log, or the list of processes, joins the Swarm as a manager."""
    words = ("task-kill", "--target", f"service:{STACK}_web", "--yes", "--runs-dir", str(tmp_path))
    done = lab.swarmctl("chaos", "run", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    places = {
        "output": run.output,
        "tags": json.dumps(lab.ec2.describe_tags()["Tags"]),
        "user data": user_data(lab),
        "runs": "\n".join(
            path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()
        ),
    }
    assert [place for place, text in places.items() if len(text) < 100] == []
    for node in (n["name"] for n in lab.status()["nodes"]):
        script = "ps -eo args; sudo journalctl -b -o cat; sudo cat /var/log/lab-user-data.log"
        places[node] = lab.ssh(node, script).stdout
        assert "dockerd" in places[node]
    for name, value in secrets(lab).items():
        assert [place for place, text in places.items() if value in text] == [], name


def test_a_socket_that_everybody_may_write_is_found(lab: Lab, run: Playbook) -> None:
    """Broken: the audit passes whatever is the case."""
    lab.ssh(MANAGER, "sudo chmod 666 /var/run/docker.sock")
    try:
        done = lab.swarmctl("audit", "--security")
        assert done.returncode == 1
        assert f"{MANAGER}: the Engine's socket is 666 root:docker" in done.stdout
    finally:
        lab.ssh(MANAGER, "sudo chmod 660 /var/run/docker.sock")
    assert lab.swarmctl("audit", "--security").returncode == 0
