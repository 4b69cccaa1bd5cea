"""What would let somebody in is named, with where and what to do; what is set is said to be."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from swarmctl.audit.ask_nodes import sections
from swarmctl.audit.security.ask_nodes import node_security
from swarmctl.audit.security.checks import CHECKS, audit_security
from swarmctl.audit.security.facts import NodeSecurity, SecurityFacts
from swarmctl.cloud.instances import Protection
from swarmctl.cloud.rules import Rule
from swarmctl.swarm.parse import parse_swarm
from tests.unit.engine_json import service

NOW = datetime(2026, 1, 31, tzinfo=UTC)
ANSWER = """\
=== socket
660 root:docker
=== tcp
=== daemon-file
644 root:root
=== daemon
{"log-driver": "json-file"}
=== keys
755 root /var/lib/docker/swarm/certificates
600 root /var/lib/docker/swarm/certificates/swarm-node.key
=== ssh
permitrootlogin without-password
passwordauthentication no
kbdinteractiveauthentication no
=== secrets
"""
NODE = node_security(sections(ANSWER))


def facts(node: NodeSecurity = NODE, **more: Any) -> SecurityFacts:
    good = SecurityFacts(
        services=(),
        now=NOW,
        nodes={"mgr1": node},
        autolock=True,
        ca_ends=NOW + timedelta(days=5000),
        node_life=90 * 86400.0,
        machines={"mgr1": Protection("i-1", tokens_required=True, hop_limit=1)},
        rules={"mgr1": (Rule("tcp", 22, 22, "198.51.100.7/32"),)},
        key_files={"key": "600"},
    )
    return replace(good, **more)


def found(given: SecurityFacts) -> dict[str, tuple[bool | None, str]]:
    return {c.name: (c.ok, c.detail) for c in audit_security(given) if c.ok is not True or c.remedy}


def with_socket(name: str, source: str) -> tuple[Any, ...]:
    mount = {"Type": "bind", "Source": source, "Target": "/x"}
    raw = service(name)
    raw["Spec"]["TaskTemplate"]["ContainerSpec"]["Mounts"] = [mount]
    return parse_swarm({"nodes": [], "services": [raw], "tasks": []}).services


def test_what_the_playbooks_set_passes() -> None:
    assert found(facts()) == {}
    assert {c.name for c in audit_security(facts())} == set(CHECKS)


@pytest.mark.parametrize(
    ("check", "old", "new"),
    [
        ("engine-api", "660 root:docker", "666 root:docker"),
        ("engine-api", "660 root:docker", "660 admin:docker"),
        ("engine-api", "=== tcp\n", "=== tcp\ntcp://0.0.0.0:2375\n"),
        ("engine-api", '{"log-driver"', '{"hosts": ["tcp://0.0.0.0:2376"], "log-driver"'),
        ("daemon-json", "644 root:root", "664 root:root"),
        ("daemon-json", '{"log-driver"', '{"insecure-registries": ["r:5000"], "log-driver"'),
        ("swarm-keys", "600 root /var", "640 root /var"),
        ("ssh", "\npasswordauthentication no", "\npasswordauthentication yes"),
        ("ssh", "interactiveauthentication no", "interactiveauthentication yes"),
        ("daemon-json", '{"log-driver"', '{"insecure-registries": ["10.127.0.1"], "log-driver"'),
        ("processes", "=== secrets\n", "=== secrets\n812 docker\n"),
    ],
)
def test_what_a_node_tells_against_it_fails(check: str, old: str, new: str) -> None:
    assert old in ANSWER
    lines = found(facts(node_security(sections(ANSWER.replace(old, new)))))
    assert {name: ok for name, (ok, _) in lines.items()} == {check: False}
    assert "mgr1" in lines[check][1]


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("instance-metadata", {"machines": {"mgr1": Protection("i-1", False, 1)}}),
        ("instance-metadata", {"machines": {"mgr1": Protection("i-1", True, 2)}}),
        ("disks", {"machines": {"mgr1": Protection("i-1", True, 1, ("vol-1",))}}),
        ("exposure", {"rules": {"mgr1": (Rule("tcp", 20, 30, "0.0.0.0/0"),)}}),
        ("exposure", {"rules": {"mgr1": (Rule("all", -1, -1, "::/0"),)}}),
        ("certificates", {"ca_ends": NOW + timedelta(days=10)}),
        ("certificates", {"node_life": 400 * 86400.0}),
        ("key-file", {"key_files": {"key": "644"}}),
        ("services", {"services": with_socket("spy", "/var/run/docker.sock")}),
        ("services", {"services": with_socket("spy", "/run/")}),
    ],
)
def test_what_ec2_the_swarm_and_this_machine_tell_against_it_fails(
    check: str, change: dict[str, Any]
) -> None:
    lines = found(facts(**change))
    assert {name: ok for name, (ok, _) in lines.items()} == {check: False}


def test_a_service_that_is_named_may_have_the_socket() -> None:
    services = with_socket("agent", "/var/run/docker.sock")
    assert found(facts(services=services, trusted=frozenset({"agent"}))) == {}


def test_a_published_port_that_everybody_reaches_is_no_finding() -> None:
    assert found(facts(rules={"mgr1": (Rule("tcp", 80, 80, "0.0.0.0/0"),)})) == {}


def test_an_unlocked_swarm_is_advice_and_no_failure() -> None:
    lines = found(facts(autolock=False))
    assert [ok for ok, _ in lines.values()] == [True]


def test_other_protocols_have_no_ports_to_close() -> None:
    rules = (Rule("icmp", -1, -1, "0.0.0.0/0"), Rule("50", -1, -1, "0.0.0.0/0"))
    assert found(facts(rules={"mgr1": rules})) == {}


@pytest.mark.parametrize(
    ("check", "section", "content"),
    [
        ("engine-api", "socket", ""),
        ("daemon-json", "daemon", "{"),
        ("swarm-keys", "keys", "755 root /var/lib/docker/swarm/certificates"),
        ("ssh", "ssh", ""),
    ],
)
def test_what_a_node_cannot_tell_is_no_pass(check: str, section: str, content: str) -> None:
    """Broken: a check that has seen nothing says that all is well."""
    answer = re.sub(
        rf"=== {section}\n.*?(?==== )", f"=== {section}\n{content}\n", ANSWER, flags=re.S
    )
    assert {n: ok for n, (ok, _) in found(facts(node_security(sections(answer)))).items()} == {
        check: None
    }


@pytest.mark.parametrize(
    ("check", "change"),
    [("certificates", {"node_life": None}), ("certificates", {"ca_ends": None}),
     ("autolock", {"autolock": None}), ("key-file", {"key_files": {}})],
)  # fmt: skip
def test_what_is_not_told_is_no_pass(check: str, change: dict[str, Any]) -> None:
    assert {n: ok for n, (ok, _) in found(facts(**change)).items()} == {check: None}


def test_what_cannot_be_known_is_said() -> None:
    lines = found(facts(nodes={}, silent={"wkr1": "timeout"}, machines=None, rules={}))
    assert lines["ssh"] == (None, "wkr1: not known: timeout")
    assert lines["disks"] == (None, "EC2 was not asked")
