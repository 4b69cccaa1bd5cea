"""Deploying for real: what is bad ends in time, is told, and taken back while the old one serves.

The stack is ``microservices``, deployed as ``shop`` and removed at the end.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import docker
import pytest

from swarmctl.wait import wait_for
from tests.lab.private_registry import PrivateRegistry, private_registry
from tests.lab.support import BIN, CLUSTER, ROOT, Cluster, Lab

pytestmark = pytest.mark.timeout(600)

SHOP = "shop"
SECRET = "shop_auth_key"
SMALL = (
    f"--as={SHOP}",
    "--set=publish=host",
    f"--set=auth.key_secret={SECRET}",
    "--set=web.replicas=3",
    "--set=auth.replicas=2",
    "--set=service.replicas=2",
)
HZ = 10
HERE = Path(__file__).parent


@dataclass
class Shop:
    """The stack, as a person has it on disk and in the Swarm."""

    lab: Lab
    folder: Path
    others: list[str] = field(default_factory=list)

    def deploy(self, *words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        return self.lab.swarmctl("stack", "deploy", str(folder or self.folder), *SMALL, *words)

    def start(self, *words: str, folder: Path) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(BIN / "swarmctl"), "stack", "deploy", str(folder), *SMALL, *words],
            cwd=ROOT,
            env=self.lab.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def diff(self) -> str:
        done = self.lab.swarmctl("stack", "diff", str(self.folder), *SMALL, "--exit-code")
        assert done.returncode in (0, 1), done.stderr
        return done.stdout

    def broken(self, old: str, new: str) -> Path:
        """A copy of the stack with a change in its template, in the part of ``service``."""
        copy = self.folder.parent / "broken"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.folder, copy)
        template = copy / "docker-compose.yml.j2"
        head, mark, rest = template.read_text().partition("\n  service:\n")
        assert old in rest
        template.write_text(head + mark + rest.replace(old, new, 1))
        return copy

    def manager(self, command: str) -> str:
        done = self.lab.ssh(f"{CLUSTER}_mgr1", command)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def versions(self) -> str:
        """What changes whenever a service, config or secret is touched."""
        return self.manager(
            "docker service ls -q --filter label=com.docker.stack.namespace=shop | "
            "xargs docker service inspect --format '{{.ID}} {{.Version.Index}} {{.UpdatedAt}}'; "
            "docker config ls -q; docker secret ls -q; docker network ls -q --filter scope=swarm"
        )

    def at_rest(self) -> tuple[bool | None, str]:
        """Whether no service is being updated or rolled back."""
        states = self.manager(
            "docker service ls -q --filter label=com.docker.stack.namespace=shop | "
            "xargs docker service inspect "
            "--format '{{with .UpdateStatus}}{{.State}}{{else}}none{{end}}'"
        )
        busy = {"updating", "rollback_started"} & set(states.split())
        return (None if busy else True), states

    def entry(self) -> tuple[str, int]:
        service = next(s for s in self.lab.status()["services"] if s["name"] == f"{SHOP}_entry")
        port = service["ports"][0]
        return self.lab.address(port["node"]), port["published"]


@pytest.fixture(scope="module")
def shop(lab: Lab, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The stack, deployed; gone when the tests end, with its secret."""
    folder = tmp_path_factory.mktemp("stacks") / "microservices"
    shutil.copytree(ROOT / "stacks" / "microservices", folder)
    shop = Shop(lab, folder)
    done = shop.deploy("--make-secret", SECRET)
    try:
        assert done.returncode == 0, done.stderr
        yield shop
    finally:
        lab.swarmctl("stack", "rm", SHOP)
        lab.ssh(f"{CLUSTER}_mgr1", f"docker secret rm {SECRET}")


@dataclass
class Probes:
    """Requests through the entry, ten a second, and those that failed."""

    host: str
    port: int
    sent: int = 0
    failed: list[str] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, path: str) -> None:
        while not self.stop.wait(3 / HZ):
            self.sent += 1
            problem = self.ask(path)
            if problem:
                self.failed.append(f"{path}: {problem}")

    def ask(self, path: str) -> str:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=5)
        try:
            connection.request("GET", path)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException) as fault:
            return repr(fault)
        finally:
            connection.close()
        return "" if status == 200 else str(status)


@contextmanager
def probing(shop: Shop) -> Iterator[Probes]:
    """Ask /, /auth and /service all the while; every answer must be 200."""
    probes = Probes(*shop.entry())
    threads = [threading.Thread(target=probes.run, args=(p,)) for p in ("/", "/auth", "/service")]
    for thread in threads:
        thread.start()
    try:
        yield probes
    finally:
        probes.stop.set()
        for thread in threads:
            thread.join()
    assert probes.sent >= 3, "not every path was asked even once"
    assert probes.failed == [], f"{len(probes.failed)} of {probes.sent} requests failed"


def test_each_path_is_answered_by_its_service_and_they_work_together(shop: Shop) -> None:
    """Broken: three containers run, and nobody can log in."""
    host, port = shop.entry()

    def ask(method: str, path: str, body: str = "", token: str = "") -> tuple[int, str, str]:
        connection = http.client.HTTPConnection(host, port, timeout=5)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("X-Web") or "", answer.read().decode()

    status, web, page = ask("GET", "/")
    assert (status, web.partition(".")[0]) == (200, "web")
    assert "Three services behind one entry" in page
    for name in ("auth", "service"):
        status, _, text = ask("GET", f"/{name}")
        assert (status, json.loads(text)["service"]) == (200, name)
    assert ask("GET", "/service/greeting")[0] == 401
    assert ask("GET", "/authors")[0] == 404
    token = json.loads(ask("POST", "/auth/login", '{"user": "Ada"}')[2])["token"]
    status, _, text = ask("GET", "/service/greeting", token=token)
    assert (status, json.loads(text)["greeting"]) == (200, "Hello, Ada!")
    assert ask("GET", "/service/greeting", token=token[:-2] + "xx")[0] == 401


def test_a_second_deploy_changes_nothing_and_diff_is_empty(shop: Shop) -> None:
    """Broken: every deploy restarts something, or `docker service rollback` has no way back."""
    assert shop.diff() == ""
    before = shop.versions()
    done = shop.deploy()
    assert done.returncode == 0, done.stderr
    assert "unchanged" in done.stdout
    assert shop.versions() == before


def test_diff_is_empty_for_a_stack_that_the_docker_cli_deployed(shop: Shop) -> None:
    """Broken: `stack diff` tells of changes that are none, and people stop reading it."""
    done = shop.lab.swarmctl("stack", "diff", "three_tier", "--set=publish=host")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_diff_shows_a_change_made_by_hand_and_masks_what_is_secret(shop: Shop) -> None:
    """Broken: the file and the Swarm drift apart; or a password is in a build's log."""
    shop.manager(
        f"docker service update -d -q --env-add API_TOKEN=verysecret --replicas 4 {SHOP}_web"
    )
    seen = shop.diff()
    assert f"~ service {SHOP}_web" in seen
    assert "Replicas: 4 → 3" in seen
    assert "API_TOKEN: ********" in seen
    assert "verysecret" not in seen
    assert shop.deploy().returncode == 0
    assert shop.diff() == ""


def failing(shop: Shop, limit: float, *words: str, folder: Path | None = None) -> str:
    """Deploy what must fail while the old version serves; everything that was said."""
    before = shop.versions()
    started = time.monotonic()
    with probing(shop):
        done = shop.deploy(*words, folder=folder)
    took = time.monotonic() - started
    said = done.stderr
    assert done.returncode == 1, (done.returncode, said)
    assert took < limit, f"{took:.0f} s\n{said}"
    assert f"{SHOP}_service 2/2 on live nodes" in said
    assert f"{SHOP}_web 3/3 on live nodes" in said
    assert re.search(rf"{SHOP}_entry .* → HTTP 200", said)
    assert shop.diff() == ""
    assert leftovers(before) == leftovers(shop.versions())
    assert f"swarmctl-lock-{SHOP}" not in shop.manager("docker config ls")
    print(f"\nfailed deploy: {took:.1f} s\n{said}")  # noqa: T201 - shown with pytest -s
    return said


def leftovers(versions: str) -> set[str]:
    """The ids of configs, secrets and networks."""
    return {line for line in versions.splitlines() if " " not in line}


def test_a_bad_image_is_told_and_taken_back(shop: Shop) -> None:
    """Broken: a typing error takes the site down, or the pipeline hangs for an hour."""
    said = failing(shop, 60, "--wait=45s", "--set=service.image=node:nosuch")
    assert "No such image: node:nosuch" in said


def test_a_command_that_crashes_is_told_with_its_log_and_taken_back(shop: Shop) -> None:
    """Broken: the reason is on one of three nodes, and gone when somebody looks."""
    crash = '[sh, -c, "echo no configuration found >&2; exit 3"]'
    folder = shop.broken("[node, /app/server.js]", crash)
    said = failing(shop, 60, "--wait=45s", folder=folder)
    assert "non-zero exit (3)" in said
    assert "| no configuration found" in said


def test_a_health_check_that_fails_meets_the_deadline_and_is_taken_back(shop: Shop) -> None:
    """Broken: a deploy that never gets healthy hangs, as `docker stack deploy` does."""
    folder = shop.broken("{{ http_health(3000) }}", "{{ http_health(3001) }}")
    said = failing(shop, 60, "--wait=12s", folder=folder)
    assert "waited 12 s" in said
    assert "health check" in said
    assert f"{SHOP}_service: back to the version before" in said


def test_a_missing_secret_is_told_before_anything_is_touched(shop: Shop) -> None:
    """Broken: half of a stack is deployed before somebody notices that a secret is missing."""
    # Swarm writes down the end of the rollback before this some seconds after it.
    wait_for("Swarm to be done with the last rollback", shop.at_rest, timeout=30)
    before = shop.versions()
    with probing(shop):
        done = shop.deploy("--set=auth.key_secret=nosuch")
    assert done.returncode == 2
    assert "secret not found: nosuch" in done.stderr
    assert "docker secret create nosuch" in done.stderr
    assert shop.versions() == before


def test_a_good_version_replaces_the_old_one_without_a_failed_request(shop: Shop) -> None:
    """Broken: every release is an outage of some seconds."""
    with (shop.folder / "service" / "server.js").open("a") as script:
        script.write("// a new version\n")
    with probing(shop):
        done = shop.deploy()
    assert done.returncode == 0, done.stderr
    assert f"~ service {SHOP}_service" in done.stdout
    assert shop.diff() == ""
    # The version before is still there to go back to, so its config is kept until it is not.
    kept = shop.lab.swarmctl("stack", "prune", SHOP)
    assert (kept.returncode, kept.stdout) == (0, ""), kept.stderr
    shown = shop.lab.swarmctl("stack", "prune", SHOP, "--previous")
    assert re.fullmatch(rf"config {SHOP}_service_server-[0-9a-f]{{12}}\n", shown.stdout)
    removed = shop.lab.swarmctl("stack", "prune", SHOP, "--previous", "--yes")
    assert removed.stdout == f"- {shown.stdout}"
    assert shown.stdout.split()[1] not in shop.manager("docker config ls")


def test_two_deploys_of_one_stack_are_kept_apart_and_sigterm_takes_one_back(shop: Shop) -> None:
    """Broken: two people deploy at once, and the Swarm runs a mixture of both."""
    folder = shop.broken("{{ http_health(3000) }}", "{{ http_health(3001) }}")
    with probing(shop):
        first = shop.start("--wait=60s", folder=folder)
        assert first.stderr is not None
        until_said(first, "1 to change")
        second = shop.deploy()
        assert second.returncode == 3
        assert "locked by" in second.stderr
        assert f"process {first.pid}, deploy" in second.stderr
        first.send_signal(signal.SIGTERM)
        _, said = first.communicate(timeout=60)
    assert first.returncode == 130, said
    assert "the old version serves" in said
    assert shop.diff() == ""
    assert shop.deploy().returncode == 0


def test_the_lock_of_a_killed_deploy_says_whose_it_is_and_how_to_remove_it(shop: Shop) -> None:
    """Broken: a pipeline that was killed blocks every later one."""
    folder = shop.broken("{{ http_health(3000) }}", "{{ http_health(3001) }}")
    killed = shop.start("--wait=60s", folder=folder)
    until_said(killed, "1 to change")
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    refused = shop.deploy()
    assert refused.returncode == 3
    assert f"swarmctl stack unlock {SHOP}" in refused.stderr
    unlocked = shop.lab.swarmctl("stack", "unlock", SHOP)
    assert f"process {killed.pid}" in unlocked.stdout
    assert shop.deploy().returncode == 0
    assert shop.diff() == ""


def until_said(process: subprocess.Popen[str], text: str) -> None:
    """Read a process's stderr until a line has this text."""
    assert process.stderr is not None
    for line in process.stderr:
        if text in line:
            return
    raise AssertionError(f"it never said {text!r}")


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


def test_rm_takes_everything_away_also_the_volumes_of_every_node(
    lab: Lab, cluster: Cluster, tmp_path: Path
) -> None:
    """Broken: networks run out, and old data comes back to life."""
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


def test_diff_is_empty_after_a_deploy_of_nearly_every_key_there_is(
    lab: Lab, cluster: Cluster, tmp_path: Path
) -> None:
    """Broken: a key that the Engine gives back in another form is a change for ever."""
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
        assert "the secret keys_pw exists with another content" in refused.stderr
        assert "nothing had been changed" in refused.stderr
    finally:
        removed = lab.swarmctl("stack", "rm", "keys", "--volumes", "--yes")
    assert removed.returncode == 0, removed.stderr


def test_a_first_deploy_that_fails_leaves_nothing(
    lab: Lab, cluster: Cluster, tmp_path: Path
) -> None:
    """Broken: the wreck of a first try is in the way of the second."""
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
    """Broken: the replicas of a private image come up on the node where somebody had logged in."""
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
