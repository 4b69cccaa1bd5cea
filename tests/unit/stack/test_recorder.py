"""The docker CLI reads the real Swarm; what it writes is recorded and not carried out."""

from __future__ import annotations

import http.server
import json
import os
import socketserver
import sys
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from swarmctl.errors import UsageError
from swarmctl.stack.deploy import recorder
from swarmctl.stack.deploy.desired import named_variables, translate
from swarmctl.stack.render.output import Rendered
from swarmctl.swarm.ssh import Endpoint

# As the real CLI: reads, creates what is missing, sends a service.
CLI = f"""#!{sys.executable}
import http.client, json, os, socket, sys
if "--help" in sys.argv:
    print("  --detach   Exit immediately"); sys.exit()
def call(method, path, body=None):
    wire = http.client.HTTPConnection("localhost")
    wire.sock = socket.socket(socket.AF_UNIX)
    wire.sock.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))
    wire.request(method, path, json.dumps(body) if body else None)
    answer = wire.getresponse()
    text = answer.read()
    return json.loads(text) if text else answer.headers["Api-Version"]
assert call("HEAD", "/_ping") == "1.45"
secrets = [s["Spec"]["Name"] for s in call("GET", "/v1.45/secrets")]
for name in ("there", "pretended"):
    if name not in secrets:
        sys.exit("secret not found: " + name)
call("POST", "/v1.45/configs/create", {{"Name": "conf"}})
ids = {{c["Spec"]["Name"]: c["ID"] for c in call("GET", "/v1.45/configs?filters=x")}}
spec = {{"Name": sys.argv[-1] + "_web", "Ids": ids, "Tag": os.environ.get("TAG"),
        "Home": os.environ.get("SWARMCTL_TEST", "not passed on"),
        "File": open("note.txt").read(), "Words": sys.argv[1:],
        "Folder": os.getcwd()}}
assert call("POST", "/v1.45/services/create", spec)["ID"]
print("Ignoring unsupported options: build", file=sys.stderr)
"""


class Engine(http.server.BaseHTTPRequestHandler):
    """An Engine that accepts no writes."""

    def do_GET(self) -> None:
        body = json.dumps([{"ID": "1", "Spec": {"Name": "there"}}]).encode()
        self.send_response_only(200)
        self.send_header("Api-Version", "1.45")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A fake Engine on a socket, and a fake docker CLI in PATH."""
    address = str(tmp_path / "engine.sock")
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(CLI)
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{docker.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SWARMCTL_ENGINE_SOCKET", address)
    monkeypatch.setenv("SWARMCTL_TEST", "leaked")
    with socketserver.UnixStreamServer(address, Engine) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield
        server.shutdown()


HERE = Endpoint(address="unix:///unused")
STACK = Rendered("services: {web: {image: 'app:${TAG}'}}\n", {"note.txt": b"a note"})


def test_the_requests_of_the_cli_are_recorded_and_not_carried_out(engine: None) -> None:
    wanted = translate(
        HERE, "shop", STACK, pretend=["pretended"], environment={"TAG": "7", "X": "y"}
    )
    assert wanted.notes == ("Ignoring unsupported options: build",)
    assert list(wanted.configs) == ["conf"]
    spec = wanted.services["shop_web"]
    assert spec["Ids"] == {"there": "1", "conf": "new-conf"}
    assert spec["Tag"] == "7"
    assert spec["Home"] == "not passed on"
    assert spec["File"] == "a note"
    assert "--resolve-image=never" in spec["Words"]
    assert "--detach=true" in spec["Words"]


def test_a_file_that_the_cli_refuses_is_a_usage_error(engine: None) -> None:
    with pytest.raises(UsageError, match="secret not found: pretended"):
        translate(HERE, "shop", STACK)


def test_the_cli_merges_several_compose_files(engine: None) -> None:
    overlay = "services: {web: {image: 'app:${EXTRA}'}}\n"
    stack = Rendered(STACK.compose, STACK.files, {"docker-compose.2.yml": overlay})
    assert named_variables(stack) == ["EXTRA", "TAG"]
    words = translate(HERE, "shop", stack, pretend=["pretended"]).services["shop_web"]["Words"]
    files = [word for option, word in pairwise(words) if option == "--compose-file"]
    assert files == ["docker-compose.yml", "docker-compose.2.yml"]


def test_nothing_is_left_behind(engine: None) -> None:
    """Only this run's folder is looked at: other runs on this machine have folders of their own."""
    wanted = translate(HERE, "shop", STACK, pretend=["pretended"])
    folder = Path(wanted.services["shop_web"]["Folder"]).parent
    assert folder.name.startswith("swarmctl-")
    assert not folder.exists()


def test_an_old_cli_does_not_get_an_unknown_option() -> None:
    job = {"compose": ["docker-compose.yml"], "name": "shop"}
    assert "--detach=true" not in recorder.command(job, "")
