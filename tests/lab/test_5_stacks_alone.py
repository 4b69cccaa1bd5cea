"""Small stacks on a real Swarm: rm, every key of a service, a first deploy, a private registry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from tests.lab.helpers.private_registry import PrivateRegistry, private_registry
from tests.lab.support import CLUSTER, Cluster, Lab

pytestmark = pytest.mark.timeout(600)

HERE = Path(__file__).parent

VOLUMES = """\
services:
  keeper:
    image: httpd:2.4
    volumes: [data:/data]
    networks: [inside]
    configs: [note]
    deploy:
      mode: global
      endpoint_mode: dnsrr
      placement: {constraints: [node.role == worker]}
networks: {inside: {}}
volumes: {data: {}}
configs: {note: {file: ./note.txt}}
"""


def test_rm_removes_everything_including_the_volumes_on_every_node(
    lab: Lab, cluster: Cluster, tmp_path: Path
) -> None:
    """Broken: network addresses run out, or a new stack starts with old data."""
    (tmp_path / "docker-compose.yml").write_text(VOLUMES)
    (tmp_path / "note.txt").write_text("x")
    compose = str(tmp_path / "docker-compose.yml")
    done = lab.swarmctl("stack", "deploy", compose, "--as=keep")
    assert done.returncode == 0, done.stderr
    workers = [n["name"] for n in lab.status()["nodes"] if n["role"] == "worker"]

    refused = lab.swarmctl("stack", "rm", "keep", "--volumes")
    assert refused.returncode == 3
    assert f"keep_data on {workers[0]}" in refused.stderr
    removed = lab.swarmctl("stack", "rm", "keep", "--volumes", "--yes")
    assert removed.returncode == 0, removed.stderr
    assert set(removed.stdout.splitlines()) == {
        "- service keep_keeper",
        "- network keep_inside",
        "- config keep_note",
        *(f"- volume keep_data on {name}" for name in workers),
    }
    listing = "; ".join(f"sudo docker {kind} ls" for kind in ("volume", "network", "container"))
    for name in workers:
        assert "keep" not in lab.ssh(name, listing).stdout
    left = lab.ssh(f"{CLUSTER}_mgr1", "docker service ls; docker config ls; docker network ls")
    assert "keep" not in left.stdout
    again = lab.swarmctl("stack", "rm", "keep")
    assert again.returncode == 2
    assert "unknown deployed stack 'keep'" in again.stderr


def test_diff_is_empty_after_a_deploy_of_nearly_every_key(
    lab: Lab, cluster: Cluster, tmp_path: Path
) -> None:
    """Broken: a key that the Engine returns in another form is reported as a change every time."""
    (tmp_path / "docker-compose.yml").write_text((HERE / "every_key.yml").read_text())
    for name, text in {"pw.txt": "pw", "c.txt": "c", "app.env": "A=1\nB=x y\n"}.items():
        (tmp_path / name).write_text(text)
    words = (str(tmp_path / "docker-compose.yml"), "--as=keys")
    try:
        done = lab.swarmctl("stack", "deploy", *words, "--wait=90s")
        assert done.returncode == 0, done.stderr
        assert "keys_job 2/2" in done.stdout
        diff = lab.swarmctl("stack", "diff", *words)
        assert (diff.returncode, diff.stdout) == (0, ""), diff.stderr
        (tmp_path / "pw.txt").write_text("another")
        refused = lab.swarmctl("stack", "deploy", *words)
        assert refused.returncode == 1
        assert "the secret keys_pw exists with other content" in refused.stderr
        assert "nothing had been changed" in refused.stderr
    finally:
        removed = lab.swarmctl("stack", "rm", "keys", "--volumes", "--yes")
    assert removed.returncode == 0, removed.stderr


def test_a_first_deploy_that_fails_leaves_nothing(
    lab: Lab, cluster: Cluster, tmp_path: Path
) -> None:
    """Broken: the remains of a failed first deploy block the second."""
    (tmp_path / "docker-compose.yml").write_text(VOLUMES.replace("httpd:2.4", "httpd:nosuch"))
    (tmp_path / "note.txt").write_text("x")
    compose = str(tmp_path / "docker-compose.yml")
    done = lab.swarmctl("stack", "deploy", compose, "--as=keep", "--wait=6s")
    assert done.returncode == 1
    assert "No such image: httpd:nosuch" in done.stderr
    assert "there was no version before; nothing is left of this one" in done.stderr
    left = lab.ssh(f"{CLUSTER}_mgr1", "docker service ls; docker config ls; docker network ls")
    assert "keep" not in left.stdout


@pytest.fixture
def registry(
    lab: Lab, cluster: Cluster, engine: docker.DockerClient, tmp_path: Path
) -> Iterator[PrivateRegistry]:
    """A private registry with one image."""
    with private_registry(lab, engine, tmp_path) as found:
        yield found


def test_a_node_that_never_logged_in_pulls_from_a_private_registry(
    lab: Lab, cluster: Cluster, tmp_path: Path, registry: PrivateRegistry
) -> None:
    """Broken: replicas of a private image start only on nodes where someone has logged in."""
    compose = tmp_path / "docker-compose.yml"
    compose.write_text(PRIVATE.format(image=registry.image))
    anonymous = lab.swarmctl("stack", "deploy", str(compose), "--as=private", "--wait=5s")
    assert anonymous.returncode == 1
    env = {**lab.env, "DOCKER_CONFIG": str(registry.docker_config)}
    try:
        words = ("stack", "deploy", str(compose), "--as=private", "--with-registry-auth")
        done = Lab(env, lab.ec2).swarmctl(*words, "--wait=60s")
        assert done.returncode == 0, done.stderr
        assert "private_app 3/3" in done.stdout or "private_app 2/2" in done.stdout
        spec = lab.ssh(f"{CLUSTER}_mgr1", "docker service inspect private_app")
        assert f"{registry.image}@sha256:" in spec.stdout
        assert registry.password not in spec.stdout
        assert registry.password not in done.stdout + done.stderr
        for node in (n["name"] for n in lab.status()["nodes"]):
            found = lab.ssh(node, f"sudo grep -rls {registry.password} /root /home /etc /dev/shm")
            assert found.stdout == ""
    finally:
        lab.swarmctl("stack", "rm", "private")


PRIVATE = """\
services:
  app:
    image: {image}
    deploy:
      mode: global
      endpoint_mode: dnsrr
      placement: {{constraints: [node.role == worker]}}
"""
