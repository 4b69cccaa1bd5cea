"""Docker and the Swarm with ECR's registry: a token opens it, ends, and is followed by another."""

from __future__ import annotations

import base64
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarmctl.lab.image.recipes import image_tags
from swarmctl.wait import wait_for
from tests.lab.support import CLUSTER, NAME, Cluster, Lab

NAME_IN_ECR, SERVICE = f"{CLUSTER.replace('_', '-')}/registry-test/web", "registry-test"
MANAGER, HAS_IT, LACKS_IT, ASKS = (f"{CLUSTER}_{n}" for n in ("mgr1", "wkr1", "wkr2", "wkr3"))
LIFE = 60  # seconds of a token
ENDED = "denied: Your authorization token has expired. Reauthenticate and try again."


class Registry:
    """The registry as the operator uses it from this computer, with a Docker config of its own."""

    def __init__(self, lab: Lab, config: Path) -> None:
        self.lab, self.config, self.ecr = lab, config, lab.client("ecr")
        made = self.ecr.create_repository(
            repositoryName=NAME_IN_ECR, imageTagMutability="IMMUTABLE"
        )
        self.image = f"{made['repository']['repositoryUri']}:1"

    def docker(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker", "--config", str(self.config), *words],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def login(self) -> str:
        """Log in here; returns the line that logs a node in."""
        (data,) = self.ecr.get_authorization_token()["authorizationData"]
        user, _, password = base64.b64decode(data["authorizationToken"]).decode().partition(":")
        words = ("login", "--username", user, "--password-stdin", data["proxyEndpoint"])
        done = self.docker(*words, stdin=password)
        assert done.returncode == 0, done.stderr
        return f"docker {' '.join(words)} <<< {password}"


@pytest.fixture
def registry(lab: Lab, cluster: Cluster, tmp_path: Path) -> Iterator[Registry]:
    lab.swarmctl("lab", "registry", "--name", NAME, "--token-life", f"{LIFE}s")
    made = Registry(lab, tmp_path)
    try:
        yield made
    finally:
        lab.swarmctl("lab", "registry", "--name", NAME, "--token-life", "12h")
        lab.ssh(MANAGER, f"docker service rm {SERVICE}")
        for node in (MANAGER, ASKS):
            lab.ssh(node, "rm -f ~/.docker/config.json")
        made.docker("rmi", made.image)
        made.ecr.delete_repository(repositoryName=NAME_IN_ECR, force=True)


def on(lab: Lab, node: str, command: str) -> str:
    done = lab.ssh(node, f"bash -c {shlex.quote(command)}")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tasks(lab: Lab) -> str:
    """The state and the error of each task of the service."""
    shown = "--format '{{.Node}}: {{.CurrentState}} {{.Error}}'"
    return on(lab, MANAGER, f"docker service ps {shown} {SERVICE}")


@pytest.mark.long
def test_a_token_serves_push_and_deploy_ends_and_is_followed_by_another(
    lab: Lab, registry: Registry
) -> None:
    """Broken: what a user finds at 3 a.m. with a token of yesterday cannot be tried in the lab."""
    # An image of its own: no node may have its content under another name.
    recipe = f"FROM {image_tags().httpd}\nLABEL {SERVICE}={registry.image}\n"
    built = registry.docker("build", "-t", registry.image, "-", stdin=recipe)
    assert built.returncode == 0, built.stderr
    login = registry.login()
    pushed = registry.docker("push", registry.image)
    assert pushed.returncode == 0, pushed.stderr
    (found,) = registry.ecr.describe_images(repositoryName=NAME_IN_ECR)["imageDetails"]
    assert found["imageTags"] == ["1"]
    assert found["imageDigest"] in pushed.stdout
    again = registry.docker("push", registry.image)
    assert "cannot be overwritten because the tag is immutable" in again.stderr

    for node in (MANAGER, ASKS):
        on(lab, node, login)
    create = f"--name {SERVICE} --restart-delay 1s --constraint node.hostname=={HAS_IT}"
    on(
        lab,
        MANAGER,
        f"docker service create --quiet --with-registry-auth {create} {registry.image}",
    )

    def refused() -> tuple[bool | None, str]:
        said = lab.ssh(ASKS, f"docker pull {registry.image}")
        return (True if ENDED in said.stderr else None), said.stderr

    wait_for("the token to end", refused, timeout=LIFE + 20, interval=1)

    move = f"--constraint-rm node.hostname=={HAS_IT} --constraint-add node.hostname=={LACKS_IT}"
    on(lab, MANAGER, f"docker service update --quiet --detach {move} {SERVICE}")

    def cannot_move() -> tuple[bool | None, str]:
        told = tasks(lab)
        return (True if "No such image" in told else None), told

    wait_for("the node without the image to fail", cannot_move, timeout=60, interval=1)

    on(lab, MANAGER, registry.login())
    on(lab, MANAGER, f"docker service update --quiet --with-registry-auth --force {SERVICE}")
    assert f"{LACKS_IT}: Running" in tasks(lab)
