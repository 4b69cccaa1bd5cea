"""A Swarm that its owner made by hand, in use, comes under swarmctl as docs/questions.md says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.lab.helpers.requests_a_second import requests_a_second
from tests.lab.support import Lab, journal
from tests.lab.test_2_static.own import Own, inventory, machines, own_computer

pytestmark = [pytest.mark.long, pytest.mark.timeout(1500)]

MADE = {"cluster_name": "hand", "vpc_cidr": "10.98.0.0/16", "managers": 3, "workers": 3}
MANAGERS, WORKERS = ("oak", "elm", "ash"), ("fir", "yew")
NAMES = (*MANAGERS, *WORKERS, "box")  # box is in a Swarm of its own
KEPT = {"swarm_dispatcher_heartbeat": 10}  # as the owner has set it
INIT = "docker swarm init --advertise-addr {0} {1} >/dev/null"
OWNERS = """\
docker node update --label-add rack=left --label-add az=cellar fir
docker node update --label-add rack=right yew
docker node update --availability drain ash
printf hidden | docker secret create pass -
printf hello | docker config create page -
docker network create --driver overlay --attachable inner
docker service create --quiet --name web --replicas 2 --constraint node.hostname!=oak \\
  --network inner --secret pass --publish mode=host,target=80,published=80 \\
  --config source=page,target=/usr/local/apache2/htdocs/index.html httpd:2.4
"""
SPEC = "docker info --format '{{json .Swarm.Cluster.ID}} {{json .Swarm.Cluster.Spec}}'"
NODES = "docker node inspect $(docker node ls --quiet)"
REST = """\
docker service inspect web --format '{{.ID}} {{.Version.Index}}'
docker service ps web --no-trunc --quiet
docker secret inspect pass --format '{{.ID}} {{.Version.Index}}'
docker config inspect page --format '{{.ID}} {{.Version.Index}}'
docker network inspect inner --format '{{.ID}}'
"""
FILES = "sudo find /etc /usr /opt /root /home -xdev -type f -newer /run/seen"
ENGINE = "hostname; systemctl show docker --property ActiveEnterTimestampMonotonic"
ANNOUNCED = re.compile(r"docker node update (--label-add.*) (\w+)$", re.MULTILINE)


@dataclass(frozen=True)
class Hand:
    """The machines by name, and what is on them."""

    own: Own
    addresses: dict[str, str]

    def on(self, name: str, command: str) -> str:
        """Run a command on a machine."""
        return self.own.on(self.addresses[name], command)

    def seen(self) -> dict[str, Any]:
        """The Swarm and its machines, without what changes by itself."""
        nodes = {node["ID"]: node["Spec"] for node in json.loads(self.on("oak", NODES))}
        found = {"spec": self.on("oak", SPEC), "nodes": nodes, "rest": self.on("oak", REST)}
        return found | {name: self.on(name, f"{ENGINE}; {FILES}") for name in NAMES}

    def serving(self) -> set[str]:
        """The names of the nodes that serve."""
        listed = "docker service ps web --filter desired-state=running --format '{{.Node}}'"
        return set(self.on("oak", listed).split())

    def write(self, *more: str, **variables: Any) -> None:
        """The inventory, with more workers and variables."""
        hosts = {name: {"ansible_host": address} for name, address in self.addresses.items()}
        text = inventory(
            self.own.machines.key,
            {name: hosts[name] for name in MANAGERS},
            {name: hosts[name] for name in (*WORKERS, *more)},
            stacks=[],
            **variables,
        )
        self.own.inventory.write_text(text)

    def trust(self) -> None:
        """Record the host keys of all machines of the inventory."""
        known = str(self.own.machines.known_hosts)
        done = self.own.computer.swarmctl("node", "trust", "--cluster", "shop",
                                          "--known-hosts", known)  # fmt: skip
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def hand(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hand]:
    """Three managers and two workers with a service; one machine in another Swarm."""
    folder = tmp_path_factory.mktemp("hand")
    home = folder / "home" / ".ssh"
    home.mkdir(parents=True, mode=0o700)
    (folder / "vault").write_text("of the owner\n")
    with machines(lab, home, MADE) as made:
        (home / "id_ed25519").write_text(made.key.read_text())
        (home / "id_ed25519").chmod(0o600)
        computer = own_computer(lab, folder)
        files = {"HOME": str(home.parent), "ANSIBLE_VAULT_PASSWORD_FILE": str(folder / "vault")}
        computer = replace(computer, env=computer.env | files)
        addresses = dict(zip(NAMES, made.addresses.values(), strict=True))
        hand = Hand(Own(computer, folder / "hosts.yml", made), addresses)
        make_by_hand(hand)
        yield hand


def make_by_hand(hand: Hand) -> None:
    """What the owner did, years ago."""
    for name in NAMES:
        words = f"echo 127.0.1.1 {name} >>/etc/hosts; sysctl --write kernel.hostname={name}"
        hand.on(name, f"sudo sh -c '{words}'")
    oak = hand.addresses["oak"]
    hand.on("oak", INIT.format(oak, "--autolock --dispatcher-heartbeat 10s"))
    hand.on("box", INIT.format(hand.addresses["box"], ""))
    for role, names in (("manager", MANAGERS[1:]), ("worker", WORKERS)):
        token = hand.on("oak", f"docker swarm join-token --quiet {role}").strip()
        for name in names:
            hand.on(name, f"docker swarm join --token {token} {oak}:2377")
    hand.on("oak", OWNERS)
    assert len(hand.serving()) == 2
    for name in NAMES:
        hand.on(name, "sudo touch /run/seen")


def test_it_is_looked_at_before_anything_is_installed(hand: Hand) -> None:
    """Broken: whoever wants to know first what swarmctl says must let it change something."""
    before = hand.seen()
    host = ("--host", f"ssh://admin@{hand.addresses['oak']}")
    status = hand.own.computer.swarmctl("status", *host)
    assert status.returncode == 0, status.stderr
    assert "healthy: 5/5 nodes ready" in status.stdout
    assert "cellar" in status.stdout
    audit = hand.own.computer.swarmctl("audit", *host)
    assert "managers are autolocked" in audit.stdout, audit.stdout + audit.stderr
    predicted = hand.own.computer.swarmctl("chaos", "predict", "--each", *host)
    assert predicted.returncode == 0, predicted.stderr
    assert "each of the 5 nodes can be lost" in predicted.stdout
    assert hand.seen() == before


def test_what_is_not_of_this_swarm_is_refused_and_left_alone(hand: Hand) -> None:
    """Broken: a machine that was listed by mistake loses what it has, or its Engine."""
    own, before = hand.own, hand.seen()
    hand.write("box")
    assert "so nothing connects" in own.refused("swarm")
    hand.trust()
    stranger = "box is in another Swarm than the managers"
    for words in (("--check",), (), ("--limit", "box")):
        assert stranger in own.refused("swarm", *words)
    text = own.inventory.read_text()
    own.inventory.write_text(text.replace("yew:", "pine:"))
    assert "pine is called yew in the Swarm" in own.refused("swarm")
    assert hand.seen() == before
    assert not list((own.inventory.parent / "state").rglob("swarm_id"))

    hand.write("box")
    # Its Engine is of another package than the playbook's, and does not answer the user.
    hand.on("box", "sudo gpasswd --delete admin docker; sudo touch /run/seen")
    connection = Path(own.computer.env["HOME"], ".ansible", "cp", hand.addresses["box"])
    connection.unlink(missing_ok=True)  # it logged in as a member of the group
    refused = own.refused("swarm", "-e", "docker_engine_source=docker_repository")
    assert "box has the Engine of another package (docker.io: /usr/sbin/dockerd)" in refused
    assert "permission denied" in refused
    assert "usermod --append --groups docker admin" in refused
    check = own.playbook("swarm", "--check").output
    assert "box has an Engine that does not answer admin" in check
    assert hand.seen() == before


def test_it_is_taken_over_as_check_says_while_it_serves(
    hand: Hand, record_property: Callable[[str, object], None]
) -> None:
    """Broken: who tries swarmctl on a Swarm in use loses requests, settings or the trust in it."""
    own, before = hand.own, hand.seen()
    hand.write()
    usual = own.playbook("swarm", "--check").output
    assert "docker swarm update --dispatcher-heartbeat=5s" in usual
    hand.write(**KEPT)
    with ExitStack() as load:
        places = {name: hand.addresses[name] for name in hand.serving()}
        requests = {
            name: load.enter_context(requests_a_second(address, "/", rate=10))
            for name, address in places.items()
        }
        check = own.playbook("swarm", "--check").output
        assert hand.seen() == before, "--check has changed something"
        first = own.playbook("swarm")
        again = own.playbook("swarm")
        site = own.playbook("site")
        after = hand.seen()
    for name, each in requests.items():
        record_property(f"requests to {name}", f"{each.sent}, lost: {len(each.lost)}")
        assert each.sent > 100
        assert each.lost == []

    assert "docker swarm update" not in check
    assert first.changed == 2, first.changes
    assert (again.changed, again.changes) == (0, [])
    assert (site.changed, site.changes) == (0, [])
    assert "Managers are autolocked although swarm_autolock is false" in first.output
    record = own.inventory.parent / "state" / "clusters" / "shop" / "swarm_id"
    assert json.loads(before["spec"].split(" ")[0]) == record.read_text()

    # Nothing differs but the labels that were announced.
    assert {k: v for k, v in after.items() if k != "nodes"} == {
        k: v for k, v in before.items() if k != "nodes"
    }
    expected = json.loads(json.dumps(before["nodes"]))
    for labels, node in ANNOUNCED.findall(check):
        added = (each.removeprefix("=").strip() for each in labels.split("--label-add")[1:])
        expected[node]["Labels"] |= dict(each.split("=", 1) for each in added)
    assert after["nodes"] == expected
    labels = {name for spec in expected.values() for name in spec["Labels"]}
    assert labels == {"rack", "az", "swarmctl.settings", "swarmctl.ip_vs", "swarmctl.replicas"}


def test_it_is_operated_like_any_other(
    hand: Hand, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Broken: the Swarm is on record, and nothing works on it."""
    swarmctl = hand.own.computer.swarmctl
    status = hand.own.computer.status()
    assert status["healthy"], status
    assert {node["name"] for node in status["nodes"]} == {*MANAGERS, *WORKERS}
    assert "cellar" in swarmctl("status").stdout
    assert "nothing tells where it is stored" in swarmctl("audit").stdout
    stored = swarmctl("autolock", "on")
    assert stored.returncode == 0, stored.stderr
    assert "unlock_key.vault" in stored.stdout
    fetched = swarmctl("image", "prefetch", "web")
    assert fetched.returncode == 0, fetched.stdout + fetched.stderr
    audit = swarmctl("audit")
    assert "✓ autolock" in audit.stdout, audit.stdout + audit.stderr
    assert "✗" not in audit.stdout, audit.stdout

    predicted = swarmctl("chaos", "predict", "--each")
    assert "each of the 5 nodes can be lost" in predicted.stdout, predicted.stderr
    for fault in ("drain", "engine-stop"):
        target = next(name for name in WORKERS if name in hand.serving())
        runs = tmp_path / fault
        done = swarmctl("chaos", "run", fault, "--target", target, "--yes",
                        "--runs-dir", str(runs))  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert journal(runs)["verdict"]["held"] is True
        record_property(fault, journal(runs)["verdict"])
