"""A real deploy: a bad version fails with its reason and is rolled back while the old one serves.

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
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarmctl.wait import wait_for
from tests.lab.helpers.shop import SECRET, SHOP, Shop, probing
from tests.lab.support import CLUSTER, ROOT, Cluster, Lab

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def shop(lab: Lab, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The deployed stack; removed with its secret at the end."""
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


def test_each_path_is_answered_by_its_service_and_they_work_together(shop: Shop) -> None:
    """Broken: the containers run, but no user can log in."""
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
    """Broken: every deploy restarts tasks, or `docker service rollback` has no previous version."""
    assert shop.diff() == ""
    before = shop.versions()
    done = shop.deploy()
    assert done.returncode == 0, done.stderr
    assert "unchanged" in done.stdout
    assert shop.versions() == before


def test_diff_is_empty_for_a_stack_that_the_docker_cli_deployed(shop: Shop) -> None:
    """Broken: `stack diff` reports changes that do not exist, and users ignore it."""
    done = shop.lab.swarmctl("stack", "diff", "three_tier", "--set=publish=host")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_diff_shows_a_change_made_by_hand_and_masks_what_is_secret(shop: Shop) -> None:
    """Broken: a manual change goes unnoticed, or a build's log shows a password."""
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
    """Deploy a version that must fail while the old one serves; returns all output."""
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


def test_a_bad_image_is_reported_and_rolled_back(shop: Shop) -> None:
    """Broken: a wrong image name takes the site down, or the pipeline hangs for an hour."""
    said = failing(shop, 60, "--wait=45s", "--set=service.image=node:nosuch")
    assert "No such image: node:nosuch" in said


def test_a_command_that_crashes_is_reported_with_its_log_and_rolled_back(shop: Shop) -> None:
    """Broken: the reason is in a log on one of three nodes, and lost before it can be read."""
    crash = '[sh, -c, "echo no configuration found >&2; exit 3"]'
    folder = shop.broken("[node, /app/server.js]", crash)
    said = failing(shop, 60, "--wait=45s", folder=folder)
    assert "non-zero exit (3)" in said
    assert "| no configuration found" in said


def test_a_health_check_that_fails_until_the_deadline_is_rolled_back(shop: Shop) -> None:
    """Broken: a deploy that never becomes healthy hangs, as `docker stack deploy` does."""
    folder = shop.broken("{{ http_health(3000) }}", "{{ http_health(3001) }}")
    said = failing(shop, 60, "--wait=12s", folder=folder)
    assert "waited 12 s" in said
    assert "health check" in said
    assert f"{SHOP}_service: back to the previous version" in said


def test_a_missing_secret_is_reported_before_anything_is_changed(shop: Shop) -> None:
    """Broken: half of a stack is deployed before the missing secret is noticed."""
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
    """Broken: every release causes an outage of some seconds."""
    with (shop.folder / "service" / "server.js").open("a") as script:
        script.write("// a new version\n")
    with probing(shop):
        done = shop.deploy()
    assert done.returncode == 0, done.stderr
    assert f"~ service {SHOP}_service" in done.stdout
    assert shop.diff() == ""
    # The previous version can still be rolled back to, so its config is kept.
    kept = shop.lab.swarmctl("stack", "prune", SHOP)
    assert (kept.returncode, kept.stdout) == (0, ""), kept.stderr
    shown = shop.lab.swarmctl("stack", "prune", SHOP, "--previous")
    assert re.fullmatch(rf"config {SHOP}_service_server-[0-9a-f]{{12}}\n", shown.stdout)
    removed = shop.lab.swarmctl("stack", "prune", SHOP, "--previous", "--yes")
    assert removed.stdout == f"- {shown.stdout}"
    assert shown.stdout.split()[1] not in shop.manager("docker config ls")


def test_a_second_deploy_of_a_stack_is_refused_and_sigterm_rolls_the_first_back(shop: Shop) -> None:
    """Broken: two users deploy at once, and the Swarm runs a mixture of both versions."""
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


def test_the_lock_of_a_killed_deploy_names_its_owner_and_how_to_remove_it(shop: Shop) -> None:
    """Broken: a killed pipeline blocks all later ones."""
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
