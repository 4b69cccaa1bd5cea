"""A machine with another host key is not the machine that was recorded."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import pytest

from swarmctl.lab.machine import container_name
from tests.lab.support import BIN, CLUSTER, NAME, STACK, Cluster, Lab

pytestmark = pytest.mark.timeout(900)

MANAGER = f"{CLUSTER}_mgr1"
EXCHANGE = """set -e
cp -a /etc/ssh /root/ssh.kept
rm /etc/ssh/ssh_host_*
ssh-keygen -q -A
systemctl restart ssh"""
RESTORE = """set -e
rm -r /etc/ssh
mv /root/ssh.kept /etc/ssh
systemctl restart ssh"""


@pytest.fixture
def exchanged(lab: Lab, cluster: Cluster, engine: docker.DockerClient) -> Iterator[None]:
    """Whoever answers at the manager's address has another key."""
    machine = engine.containers.get(container_name(NAME, lab.instance(MANAGER)["InstanceId"]))
    code, output = machine.exec_run(["bash", "-c", EXCHANGE])
    assert code == 0, output
    yield
    code, output = machine.exec_run(["bash", "-c", RESTORE])
    assert code == 0, output
    assert lab.swarmctl("status").returncode == 0


def test_a_machine_with_another_host_key_is_sent_nothing(lab: Lab, exchanged: None) -> None:
    """Broken: whoever takes over an address is given the Swarm's secrets."""
    for words in (["status"], ["stack", "deploy", STACK], ["chaos", "run", "drain", "--yes"]):
        refused = lab.swarmctl(*words)
        assert refused.returncode != 0, refused.stdout
        assert "is not the recorded one" in refused.stderr
        assert "Traceback" not in refused.stderr
    # A connection that a playbook has left open is still with the right machine: open a new one.
    ping = ("-m", "ansible.builtin.ping", "--ssh-extra-args=-o ControlPath=none", MANAGER)
    asked = lab.run(str(BIN / "ansible"), *ping)
    assert asked.returncode != 0
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in asked.stdout + asked.stderr
