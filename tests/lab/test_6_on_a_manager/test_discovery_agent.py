"""The discovery agent as the playbooks deploy it: on a manager, with its instance's credentials."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests

from swarmctl.wait import wait_for
from tests.lab.helpers.agent import endpoints, places
from tests.lab.support import CLUSTER, STACK, Cluster, Lab, Playbook, healthy

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

AGENT = "discovery_agent"
WEB = f"{STACK}-web".replace("_", "-")  # its DNS label
GROWN = ("-e", "managers=3", "-e", "workers=4")
DISCOVERY = (*GROWN, "-e", "discovery_enabled=true", "-e", "registry_refresh_enabled=true")
BALANCED = (*GROWN, "-e", "load_balancer_enabled=true", "--tags", "load_balancer")


@pytest.fixture(scope="module")
def agent(lab: Lab, cluster: Cluster, grown: Playbook) -> Iterator[Playbook]:
    """The agent on a manager, taken away at the end."""
    wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=180, interval=1)
    yield lab.playbook("site", *DISCOVERY).ok()
    removed = lab.swarmctl("stack", "rm", "discovery", "--yes")
    assert removed.returncode == 0, removed.stderr


def home(lab: Lab) -> str:
    """The manager on which the agent runs."""
    (service,) = [s for s in lab.status()["services"] if s["name"] == AGENT]
    (node,) = service["nodes"]
    return str(node)


def by_consul(lab: Lab, manager: str) -> set[str]:
    """The web's endpoints as the agent's API names them to a worker."""
    url = f"http://{lab.address(manager)}:8500/v1/health/service/{WEB}?passing"
    answer = lab.ssh(f"{CLUSTER}_wkr1", f"curl -sf -m 5 '{url}'").stdout
    return {f"{e['Service']['Address']}:{e['Service']['Port']}" for e in json.loads(answer or "[]")}


def by_cloud_map(lab: Lab) -> set[str]:
    """… and as they are registered in Cloud Map."""
    found = lab.client("servicediscovery")
    services = {s["Name"]: s["Id"] for s in found.list_services()["Services"]}
    if WEB not in services:
        return set()
    pages = found.get_paginator("list_instances").paginate(ServiceId=services[WEB])
    return {
        f"{i['Attributes']['AWS_INSTANCE_IPV4']}:{i['Attributes']['AWS_INSTANCE_PORT']}"
        for page in pages
        for i in page["Instances"]
    }


def complete(lab: Lab) -> tuple[float | None, str]:
    """Whether API and Cloud Map have all ten endpoints."""
    status = {s["name"]: s for s in lab.status()["services"]}
    if not status[AGENT]["nodes"]:
        return None, "the agent runs nowhere"
    api, cloud = by_consul(lab, home(lab)), by_cloud_map(lab)
    nodes = places(endpoints(lab, WEB))
    text = f"API {sorted(api)}, Cloud Map {sorted(cloud)}, nodes {sorted(nodes)}"
    return (1.0 if api == cloud == nodes and len(nodes) == 10 else None), text


def test_the_playbooks_deploy_an_agent_that_publishes_with_its_managers_role(
    lab: Lab, agent: Playbook
) -> None:
    """Broken: a policy, the metadata or the image is wrong, and nothing is ever registered."""
    wait_for("the agent to publish all endpoints", lambda: complete(lab), timeout=60, interval=1)
    with pytest.raises(requests.ConnectionError):  # never from outside of the cluster
        requests.get(f"http://{lab.address(home(lab))}:8500/v1/status/leader", timeout=3)
    assert lab.playbook("site", *DISCOVERY).ok().changes == []


def test_the_timer_on_the_managers_renews_pull_credentials_with_their_role(
    lab: Lab, agent: Playbook
) -> None:
    """Broken: the unit, its image or the role's rights are wrong, and tokens end unnoticed."""
    unit = "swarmctl-registry-refresh"
    for manager in (f"{CLUSTER}_mgr1", f"{CLUSTER}_mgr3"):
        timer = lab.ssh(manager, f"systemctl is-active {unit}.timer")
        assert timer.stdout.strip() == "active"
        done = lab.ssh(
            manager, f"sudo systemctl start {unit}; sudo journalctl -eu {unit} | tail -20"
        )
        shown = lab.ssh(manager, f"systemctl show --property=Result --value {unit}")
        assert shown.stdout.strip() == "success", done.stdout


def test_the_agents_manager_dies_and_the_next_agent_knows_every_port(
    lab: Lab, agent: Playbook
) -> None:
    """Broken: with the leader go all replicas from names and load balancer, while they serve."""
    leader = next(n["name"] for n in lab.status()["nodes"] if n["leader"])
    victim = home(lab)
    if victim != leader:  # the managers forget the ports when the leader changes
        lab.ssh(leader, f"docker node demote {leader}").check_returncode()
        lab.ssh(victim, f"docker node promote {leader}").check_returncode()
        # Until it takes part again, the two others are the whole quorum.
        wait_for("three managers", lambda: three_managers(lab), timeout=60, interval=1)
    instance = lab.instance(victim)["InstanceId"]
    lab.ec2.stop_instances(InstanceIds=[instance], Force=True)
    try:
        wait_for(
            "an agent elsewhere",
            lambda: home_elsewhere(lab, victim),
            timeout=120,
            interval=1,
        )
        wait_for("the next agent's catalogue", lambda: complete(lab), timeout=60, interval=1)
    finally:
        lab.ec2.start_instances(InstanceIds=[instance])
        lab.wait_until_running(victim)
    wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=180, interval=1)


def three_managers(lab: Lab) -> tuple[bool | None, str]:
    """Whether all of them are reachable."""
    found = [n["name"] for n in lab.status()["nodes"] if n["reachability"] == "reachable"]
    return (len(found) == 3 or None), f"reachable: {found}"


def home_elsewhere(lab: Lab, victim: str) -> tuple[str | None, str]:
    """The manager of the agent, if it is another than the victim."""
    done = lab.swarmctl("status", "--format", "json")
    if done.returncode != 0:
        return None, done.stderr
    (service,) = [s for s in json.loads(done.stdout)["services"] if s["name"] == AGENT]
    return next((str(node) for node in service["nodes"] if node != victim), None), str(service)


def test_a_load_balancer_comes_and_goes_and_the_playbooks_leave_the_agents_rules(
    lab: Lab, cluster: Cluster, grown: Playbook
) -> None:
    """Broken: a run of the playbooks takes every service from the load balancer."""
    assert lab.playbook("provision", *BALANCED).ok().changed > 0
    elb = lab.client("elbv2")
    (balancer,) = elb.describe_load_balancers()["LoadBalancers"]
    (listener,) = elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    elb.create_rule(
        ListenerArn=listener["ListenerArn"],
        Priority=7,
        Conditions=[{"Field": "path-pattern", "Values": ["/ours"]}],
        Actions=[
            {
                "Type": "fixed-response",
                "FixedResponseConfig": {"StatusCode": "200", "ContentType": "text/plain"},
            }
        ],
    )
    assert lab.playbook("provision", *BALANCED).ok().changes == []
    rules = elb.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
    assert {rule["Priority"] for rule in rules} == {"7", "default"}
    assert lab.playbook("provision", *GROWN, "--tags", "load_balancer").ok().changed > 0
    assert elb.describe_load_balancers()["LoadBalancers"] == []
    names = {g["GroupName"] for g in lab.ec2.describe_security_groups()["SecurityGroups"]}
    assert f"{CLUSTER}_alb_sg" not in names
