"""A new user's first ten minutes: the playbooks build what is configured, and only once."""

import http.client
import json
from pathlib import Path

import docker
import pytest
from botocore.exceptions import ClientError

from tests.lab.support import CLUSTER, NAME, STACK, Cluster, Lab

pytestmark = pytest.mark.timeout(900)


def test_check_mode_on_an_empty_account_succeeds_and_makes_nothing(cluster: Cluster) -> None:
    """Broken: a user cannot preview the changes before making them."""
    cluster.check_before.ok()
    assert cluster.instances_after_check == 0


def test_the_nodes_have_the_names_roles_and_zones_that_were_asked_for(
    lab: Lab, cluster: Cluster
) -> None:
    """Broken: inventory, labels and runbooks use the name wkr2 for different machines."""
    nodes = {n["name"]: n for n in lab.status()["nodes"]}
    assert sorted(nodes) == [
        f"{CLUSTER}_mgr1", f"{CLUSTER}_wkr1", f"{CLUSTER}_wkr2", f"{CLUSTER}_wkr3"
    ]  # fmt: skip
    assert {n["state"] for n in nodes.values()} == {"ready"}
    assert nodes[f"{CLUSTER}_mgr1"]["role"] == "manager"
    for name, node in nodes.items():
        zone = lab.instance(name)["Placement"]["AvailabilityZone"]
        assert node["labels"]["az"] == zone
    workers = [n["labels"]["az"] for n in nodes.values() if n["role"] == "worker"]
    assert len(set(workers)) == 3, "workers are not spread over the zones"


def test_a_second_run_changes_nothing_and_neither_does_a_check(lab: Lab, cluster: Cluster) -> None:
    """Broken: every deploy restarts something."""
    for words in ([], ["--check", "--diff"]):
        run = lab.playbook("site", *words).ok()
        assert run.changes == []
        assert run.changed == 0
        said = " ".join(run.output.split())
        assert f"{CLUSTER}_mgr1 confirms 4 of 4 nodes: no visit" in said
        assert "to visit:" not in said


def test_the_command_line_deploys_what_the_playbook_deployed(lab: Lab, cluster: Cluster) -> None:
    """Broken: an operator's first deploy changes the way of publishing, and nothing answers."""
    diff = lab.swarmctl("stack", "diff", STACK, "--exit-code")
    assert (diff.returncode, diff.stdout) == (0, ""), diff.stderr
    deployed = lab.swarmctl("stack", "deploy", STACK)
    assert deployed.returncode == 0, deployed.stderr
    assert f"{STACK}: unchanged after" in deployed.stdout


def test_a_routing_mesh_is_refused_where_a_kernel_cannot_do_it(lab: Lab, cluster: Cluster) -> None:
    """Broken: a deploy succeeds, and every request is refused."""
    if Path("/proc/net/ip_vs").exists():
        pytest.skip("this kernel has ip_vs: the mesh works")
    refused = lab.swarmctl("stack", "deploy", STACK, "--set=publish=mesh")
    assert refused.returncode == 3, refused.stderr
    assert "needs ip_vs in every node's kernel" in refused.stderr
    assert lab.swarmctl("stack", "diff", STACK, "--exit-code").returncode == 0


def test_one_request_to_web_returns_a_row_from_the_database(lab: Lab, cluster: Cluster) -> None:
    """Broken: all containers run, but the application does not work."""
    services = {s["name"]: s for s in lab.status()["services"]}
    assert {n: (s["running"], s["wanted"]) for n, s in services.items()} == {
        f"{STACK}_web": (10, 10),
        f"{STACK}_api": (4, 4),
        f"{STACK}_db": (1, 1),
    }
    host, port = published(lab)
    connection = http.client.HTTPConnection(host, port, timeout=10)
    connection.request("GET", "/api/message")
    answer = connection.getresponse()
    body = answer.read().decode()
    assert answer.status == 200, body
    assert json.loads(body)


def published(lab: Lab) -> tuple[str, int]:
    """An address and port where a web replica answers."""
    web = next(s for s in lab.status()["services"] if s["name"] == f"{STACK}_web")
    port = web["ports"][0]
    # The routing mesh answers on every node, a host port where the replica is.
    return lab.address(port["node"] or f"{CLUSTER}_wkr1"), port["published"]


def test_the_password_is_a_secret_and_in_no_file_or_tag(lab: Lab, cluster: Cluster) -> None:
    """Broken: anyone who can read a log can read the database's password."""
    found = lab.ssh(
        f"{CLUSTER}_wkr1",
        "sudo docker exec $(sudo docker ps -q --filter name=three_tier_db) "
        "cat /run/secrets/db_password",
    )
    password = found.stdout.strip()
    assert len(password) >= 16, found.stderr
    assert password not in cluster.first.output
    assert password not in json.dumps(lab.ec2.describe_instances(), default=str)
    spec = lab.ssh(
        f"{CLUSTER}_mgr1", f"docker service inspect {STACK}_db {STACK}_api {STACK}_web"
    ).stdout
    assert STACK in spec
    assert password not in spec
    # By way of a pipe: sudo logs the arguments of what it runs.
    grep = "sudo grep -rlFf /dev/stdin /opt /etc /home /root /tmp /var/log"
    assert lab.ssh(f"{CLUSTER}_mgr1", f"echo {password} | {grep}").stdout == ""


def test_a_second_lab_up_on_the_same_lab_says_that_it_is_up(lab: Lab) -> None:
    """Broken: two labs use the same network."""
    done = lab.swarmctl("lab", "up", "--name", NAME)
    assert done.returncode == 0
    assert "already up" in done.stderr


def test_addresses_that_are_taken_are_refused_with_their_holder(
    lab: Lab, engine: docker.DockerClient
) -> None:
    """Broken: all machines fail to boot, minutes later, and the reason is on another computer."""
    pool = docker.types.IPAMPool(subnet="10.99.0.0/16")
    other = engine.networks.create(
        "swarmctl-test-conflict", ipam=docker.types.IPAMConfig(pool_configs=[pool])
    )
    try:
        with pytest.raises(ClientError, match=r"network swarmctl-test-conflict uses 10\.99"):
            lab.ec2.create_vpc(CidrBlock="10.99.0.0/16")
    finally:
        other.remove()


def test_bad_input_stops_before_anything_is_called(lab: Lab, cluster: Cluster) -> None:
    """Broken: an even number of managers is noticed only when the Swarm has lost its quorum."""
    refused = lab.playbook("site", "-e", "managers=2")
    assert refused.code != 0
    assert "managers" in refused.output
    assert "1, 3, 5, 7" in refused.output
