"""A worker is killed while the registry is stopped: with and without a prefetch beforehand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from swarmctl.wait import wait_for
from tests.lab.helpers.private_registry import PrivateRegistry, private_registry
from tests.lab.support import CLUSTER, Cluster, Lab, healthy
from tests.lab.test_7_images.spare_worker import COMPOSE

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

STACK, SERVICE = "kept", "kept_web"
WORKERS = tuple(f"{CLUSTER}_wkr{n}" for n in (1, 2, 3))


@dataclass(frozen=True)
class Deployed:
    """The stack, and the lab with the credentials for its registry."""

    lab: Lab
    registry: PrivateRegistry

    def nodes(self) -> dict[str, int]:
        """Where its replicas run."""
        services = {s["name"]: s for s in self.lab.status()["services"]}
        where: dict[str, int] = services[SERVICE]["nodes"]
        return where

    def idle(self) -> str:
        """The worker that runs none of them."""
        (name,) = set(WORKERS) - set(self.nodes())
        return name

    def victim(self) -> str:
        """A worker that runs one; not the first, where the three-tier stack's database is."""
        return max(self.nodes())

    def holds(self, node: str) -> bool:
        """Whether a node has the image."""
        name = self.registry.image.rpartition(":")[0]
        return self.lab.ssh(node, f"docker image ls -q {name}").stdout.strip() != ""

    def audit(self) -> tuple[int, list[dict[str, Any]]]:
        """The exit code, and what is wrong with images."""
        accepted = ("--accept=managers", "--accept=pinned")  # one manager; the database
        done = self.lab.swarmctl("audit", STACK, "--format=json", *accepted)
        checks = json.loads(done.stdout)["checks"]
        wrong = [c for c in checks if c["name"] == "images" and c["ok"] is not True]
        return done.returncode, wrong

    def kill(self, runs: Path, timeout: str) -> int:
        """Pull the plug of the victim, and see whether all replicas come back."""
        words = ("--target", self.victim(), "--runs-dir", str(runs), "--timeout", timeout)
        done = self.lab.swarmctl("chaos", "run", "instance-stop", "--force", "--yes", *words)
        return done.returncode


@pytest.fixture
def deployed(
    lab: Lab, cluster: Cluster, engine: docker.DockerClient, tmp_path: Path
) -> Iterator[Deployed]:
    """The stack from a private registry; its idle worker does not have the image."""
    wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=120, interval=1)
    with private_registry(lab, engine, tmp_path) as registry:
        name = registry.image.rpartition(":")[0]
        for node in WORKERS:  # an earlier test may have pulled it
            names = (
                f"docker image ls --digests --format '{{{{.Repository}}}}@{{{{.Digest}}}}' {name}"
            )
            lab.ssh(node, f"{names} | xargs -r docker image rm")
        known = Lab({**lab.env, "DOCKER_CONFIG": str(registry.docker_config)}, lab.ec2)
        compose = tmp_path / "docker-compose.yml"
        compose.write_text(COMPOSE.format(image=registry.image))
        words = ("stack", "deploy", str(compose), "--as", STACK, "--with-registry-auth")
        done = known.swarmctl(*words, "--no-prefetch")
        try:
            assert done.returncode == 0, done.stderr
            yield Deployed(known, registry)
        finally:
            lab.swarmctl("stack", "rm", STACK, "--yes")
            wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=180, interval=1)


def test_prefetched_replicas_come_back_while_the_registry_is_stopped(
    deployed: Deployed, tmp_path: Path
) -> None:
    """Broken: a registry that is down turns the loss of one node into an outage."""
    idle = deployed.idle()
    assert not deployed.holds(idle)
    done = deployed.lab.swarmctl("image", "prefetch", STACK)
    assert done.returncode == 0, done.stderr
    assert "1 pulled, 2 already there" in done.stdout
    assert all(deployed.holds(node) for node in WORKERS)
    assert deployed.audit() == (0, [])
    for node in WORKERS:
        found = deployed.lab.ssh(
            node, f"sudo grep -rls {deployed.registry.password} /root /home /etc /tmp /dev/shm"
        )
        assert found.stdout == ""

    deployed.registry.stop()
    assert deployed.kill(tmp_path / "runs", "60s") == 0
    assert idle in deployed.nodes()


def test_the_audit_names_the_absent_image_before_its_replica_is_lost(
    deployed: Deployed, tmp_path: Path
) -> None:
    """Broken: an audit that finds nothing wrong with a Swarm that will not fail over."""
    idle = deployed.idle()
    code, wrong = deployed.audit()
    assert code == 1
    name = deployed.registry.image
    assert [(line["detail"], line["remedy"]) for line in wrong] == [
        (f"{SERVICE}: would have to pull {name} on {idle}", f"swarmctl image prefetch {SERVICE}")
    ]
    predicted = deployed.lab.swarmctl("chaos", "predict", "--lose", deployed.victim())
    assert f"would have to pull {name} on {idle}" in predicted.stdout

    deployed.registry.stop()
    assert deployed.kill(tmp_path / "runs", "30s") == 1
    (report,) = (tmp_path / "runs").glob("*/journal.json")
    assert "No such image" in report.read_text()
