"""The checks of security, each a function over the facts. Pure; the reasons: docs/security.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

from swarmctl.audit.check import Check
from swarmctl.audit.security.facts import SecurityFacts
from swarmctl.cloud.rules import EVERYONE
from swarmctl.reading.commands import word
from swarmctl.swarm.model import Service

_ABOVE_SOCKET = ("/var/run", "/run", "/var", "/")
# SSH, the Engine API, and Swarm's own ports.
_CLOSED = (22, 2375, 2376, 2377, 4789, 7946)
_CA_LATE = timedelta(days=180)
_NODE_LIFE = timedelta(days=90)
_LOOPBACK = ("127.", "localhost", "[::1]")
# Capabilities with which a container is as good as root on its node.
_STRONG = {"ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "DAC_READ_SEARCH"}

# Settings of sshd that take a password each: PAM asks for it in the second.
_PASSWORDS = ("passwordauthentication", "kbdinteractiveauthentication")

_MODIFY = "aws ec2 modify-instance-metadata-options"

_CLOSE = "remove that rule of its security group; playbooks/provision.yml mends the cluster's own"

Rule = Callable[[SecurityFacts], Iterator[tuple[bool | None, str, str]]]


def engine_api(facts: SecurityFacts) -> Iterator[tuple[bool | None, str, str]]:
    """Who reaches the Engine API is root on that node; on a manager, on all."""
    for node, told in sorted(facts.nodes.items()):
        for where in told.tcp:
            yield False, f"{node}: the Engine API is open at {where}", "remove it from daemon.json"
        if not told.socket:
            yield None, f"{node}: it does not tell who may use the Engine's socket", ""
        elif told.socket.split()[0][-1] != "0" or "root:" not in told.socket:
            remedy = "on it: sudo chmod 660 /var/run/docker.sock; sudo chown root:docker …"
            yield False, f"{node}: the Engine's socket is {told.socket}", remedy


def daemon_json(facts: SecurityFacts) -> Iterator[tuple[bool | None, str, str]]:
    """Who writes daemon.json decides how the Engine runs."""
    for node, told in sorted(facts.nodes.items()):
        mode = told.daemon_file.split(" ")[0]
        if mode and (int(mode, 8) & 0o022 or "root:root" not in told.daemon_file):
            remedy = "on it: sudo chown root:root /etc/docker/daemon.json; sudo chmod 644 …"
            yield False, f"{node}: /etc/docker/daemon.json is {told.daemon_file}", remedy
        if told.daemon is None:
            yield None, f"{node}: /etc/docker/daemon.json cannot be read", ""
            continue
        insecure = map(str, told.daemon.get("insecure-registries") or ())
        if far := [r for r in insecure if not r.startswith(_LOOPBACK)]:
            detail = f"{node}: images come unencrypted from {', '.join(far)}"
            yield False, detail, "give that registry a certificate"


def swarm_keys(facts: SecurityFacts) -> Iterator[tuple[bool | None, str, str]]:
    """The key with which a node proves which member it is."""
    for node, told in sorted(facts.nodes.items()):
        if not any(line.endswith(".key") for line in told.keys):
            yield None, f"{node}: it does not tell who may read its key", ""
        for line in told.keys:
            mode, user, path = line.split(" ", 2)
            readable = 0o077 if path.endswith(".key") else 0o022
            if int(mode, 8) & readable or user != "root":
                yield False, f"{node}: {path} is {mode} {user}", "on it: sudo chmod go= …"


def ssh(facts: SecurityFacts) -> Iterator[tuple[bool | None, str, str]]:
    """Only keys open a node."""
    remedy = "in the AMI: /etc/ssh/sshd_config.d/, as its vendor's cloud image has it"
    for node, told in sorted(facts.nodes.items()):
        if not told.ssh:
            yield None, f"{node}: sshd -T does not tell its settings", ""
        if any(told.ssh.get(word) == "yes" for word in _PASSWORDS):
            yield (
                False,
                f"{node}: SSH takes passwords",
                f"PasswordAuthentication and KbdInteractiveAuthentication no, {remedy}",
            )
        if told.ssh.get("permitrootlogin") == "yes":
            yield (
                True,
                f"{node}: root may log in over SSH, with a key",
                f"PermitRootLogin no, {remedy}",
            )


def processes(facts: SecurityFacts) -> Iterator[tuple[bool | None, str, str]]:
    """Every user of a node reads the arguments of its processes."""
    for node, told in sorted(facts.nodes.items()):
        for process in told.secrets:
            detail = f"{node}: a token or key of the Swarm is in the arguments of {process}"
            yield False, detail, "rotate it: ansible-playbook playbooks/rotate.yml -e what=tokens"


def services(facts: SecurityFacts) -> Iterator[tuple[bool | None, str, str]]:
    """A container with the Engine's socket, or with strong capabilities, is root on its node."""
    for service in sorted(facts.services, key=lambda s: s.name):
        for what in _power(service, facts.capabilities.get(service.name, ())):
            if service.name in facts.trusted:
                continue
            detail = f"{service.name} {what}: it is root on its node"
            yield False, detail, f"remove it; or, if it has to: --trust {service.name}"


def _power(service: Service, added: Iterable[str]) -> Iterator[str]:
    for mount in service.mounts:
        above = mount.kind == "bind" and (mount.source.rstrip("/") or "/") in _ABOVE_SOCKET
        if mount.engine_socket or above:
            yield f"mounts {mount.source}"
    if strong := _STRONG & {name.removeprefix("CAP_") for name in added}:
        yield f"has the capabilities {', '.join(sorted(strong))}"


def certificates(facts: SecurityFacts) -> Iterator[tuple[bool | None, str, str]]:
    """With the Swarm's root certificate all nodes' end; a stolen one is good for its life."""
    if facts.ca_ends is None:
        yield None, "the managers do not tell when the root certificate ends", "docker swarm ca"
    elif facts.ca_ends - facts.now < _CA_LATE:
        detail = f"the Swarm's root certificate ends {facts.ca_ends:%Y-%m-%d}"
        remedy = "ansible-playbook playbooks/rotate.yml -e what=ca"
        yield facts.ca_ends - facts.now > timedelta(days=30), detail, remedy
    if facts.node_life is None:
        yield None, "the managers do not tell how long nodes' certificates last", "docker info"
    elif facts.node_life > _NODE_LIFE.total_seconds():
        detail = f"certificates of nodes last {facts.node_life / 86400:.0f} days"
        yield False, detail, "docker swarm update --cert-expiry 2160h"


def autolock(facts: SecurityFacts) -> Iterator[tuple[bool | None, str, str]]:
    """Without it, a copy of a manager's disk has the Swarm's secrets and the key to them."""
    if facts.autolock is None:
        yield None, "the managers do not tell whether they are autolocked", "docker info"
    elif not facts.autolock:
        detail = "managers are not autolocked: their disk holds the key to the Swarm's secrets"
        yield True, detail, "swarm_autolock: true (docs/operations/autolock.md), if disks may leave"


def instance_metadata(facts: SecurityFacts) -> Iterator[tuple[bool | None, str, str]]:
    """With version 1, a request that an application forwards gives away the node's role."""
    for name, machine in sorted((facts.machines or {}).items()):
        if not machine.tokens_required:
            remedy = f"{_MODIFY} --instance-id {machine.id} --http-tokens required"
            yield False, f"{name}: instance metadata answer without a token (IMDSv1)", remedy
        if machine.hop_limit > 1:
            remedy = f"{_MODIFY} --instance-id {machine.id} --http-put-response-hop-limit 1"
            yield False, f"{name}: containers reach the instance metadata, and its role", remedy


def disks(facts: SecurityFacts) -> Iterator[tuple[bool | None, str, str]]:
    """A snapshot of a disk is readable by whoever it is shared with."""
    for name, machine in sorted((facts.machines or {}).items()):
        for volume in machine.unencrypted:
            detail = f"{name}: the volume {volume} is not encrypted"
            yield False, detail, f"replace the node: playbooks/replace_node.yml -e node={name}"


def exposure(facts: SecurityFacts) -> Iterator[tuple[bool | None, str, str]]:
    """Nobody but an operator needs SSH, and nobody but nodes Swarm's ports."""
    for name, rules in sorted(facts.rules.items()):
        for rule in rules:
            reached = [p for p in _CLOSED if any(rule.covers(how, p) for how in ("tcp", "udp"))]
            if rule.source in EVERYONE and reached:
                ports = "every port" if rule.protocol == "all" else ", ".join(map(str, reached))
                yield False, f"{name}: {ports} can be reached from {rule.source}", _CLOSE


def key_file(facts: SecurityFacts) -> Iterator[tuple[bool | None, str, str]]:
    """The cluster's SSH key opens every node, as root."""
    if not facts.key_files:
        yield None, "no file with the nodes' SSH key is on this machine", ""
    for path, mode in facts.key_files.items():
        if int(mode, 8) & 0o077:
            yield False, f"the nodes' SSH key in {path} has mode {mode}", f"chmod 600 {word(path)}"


# Name → check, what is said when it finds nothing, and of whom the facts are.
CHECKS: dict[str, tuple[Rule, str, str]] = {
    "engine-api": (
        engine_api,
        "on no TCP port; its socket is root's and the group docker's",
        "node",
    ),
    "daemon-json": (daemon_json, "root's; no registry without encryption but loopback", "node"),
    "swarm-keys": (swarm_keys, "readable by root only", "node"),
    "ssh": (ssh, "keys only", "node"),
    "processes": (processes, "no token or key of the Swarm in any argument", "node"),
    "services": (services, "none has the Engine's socket or strong capabilities unless named", ""),
    "certificates": (certificates, "the root lasts; nodes' last 90 days at most", ""),
    "autolock": (autolock, "on", ""),
    "instance-metadata": (instance_metadata, "version 2 only, not from containers", "machine"),
    "disks": (disks, "all volumes are encrypted", "machine"),
    "exposure": (exposure, "neither SSH nor Swarm's ports are open to everybody", "machine"),
    "key-file": (key_file, "readable by you only", ""),
}


def audit_security(facts: SecurityFacts) -> tuple[Check, ...]:
    """The lines of all checks; at least one each."""
    return tuple(line for name in CHECKS for line in _lines(name, facts))


def _lines(name: str, facts: SecurityFacts) -> Iterator[Check]:
    rule, fine, source = CHECKS[name]
    lines = [Check(name, ok, detail, remedy) for ok, detail, remedy in rule(facts)]
    if source == "node":
        silent = sorted(facts.silent.items())
        lines += [
            Check(name, None, f"{n}: not known: {w}", "swarmctl status --deep") for n, w in silent
        ]
    if source == "machine" and facts.machines is None:
        lines.append(
            Check(name, None, "EC2 was not asked", "if the machines are EC2's: leave out --host")
        )
    yield from lines or [Check(name, True, fine)]
