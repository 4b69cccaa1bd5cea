"""Record the requests of ``docker stack deploy`` without carrying them out. Runs on a manager.

Only the docker CLI knows how a compose file becomes a Swarm's services, and its versions differ in
that. So the CLI runs for real, but against a socket of this program: reads are passed on to the
Engine; writes are recorded and answered as if they had been carried out.

This file is sent to the manager as it is (``python3 -c``) and needs only Python 3.9 and the docker
CLI there. On stdin it gets a tar with the rendered stack below ``stack/`` and a ``job.json``::

    {"name": STACK, "compose": [FILE …], "environment": {NAME: VALUE},
     "secrets": [NAME …], "timeout": SECONDS}

The CLI merges several compose files. ``environment`` has the values of their ``${VARIABLES}``;
``secrets`` are names that are shown to the CLI as existing. On stdout it writes one JSON object::

    {"code": EXIT_CODE, "stderr": TEXT, "requests": [{"method", "path", "body"} …]}

All files are on a tmpfs, private, and removed at the end.
"""

from __future__ import annotations

import http.client
import http.server
import io
import json
import os
import re
import shutil
import socket
import socketserver
import subprocess
import sys
import tarfile
import tempfile
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ENGINE = os.environ.get("SWARMCTL_ENGINE_SOCKET", "/var/run/docker.sock")
READ_TIMEOUT = 20.0  # seconds for one answer of the Engine

# What the CLI looks at in an answer.
_HEADERS = ("Api-Version", "Content-Type", "Docker-Experimental", "Ostype", "Server", "Swarm")
_LIST = re.compile(r"^/v[\d.]+/(secrets|configs)$")
_CREATE = re.compile(r"^/v[\d.]+/(secrets|configs|networks|services)/create$")


class Journal:
    """The recorded requests, and the secrets and configs that are shown to the CLI as existing."""

    def __init__(self, secrets: list[str]) -> None:
        self.lock = threading.Lock()
        self.requests: list[dict[str, Any]] = []
        self.pretended: dict[str, list[dict[str, Any]]] = {
            "secrets": [_pretended({"Name": name}) for name in secrets],
            "configs": [],
        }

    def record(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Record a request; returns the status and JSON to answer with."""
        content: dict[str, Any] = json.loads(body) if body else {}
        with self.lock:
            self.requests.append({"method": method, "path": path, "body": content})
            made = _CREATE.match(urlsplit(path).path)
            if not made:
                return 200, {}
            if made.group(1) in self.pretended:
                self.pretended[made.group(1)].append(_pretended(content))
            return 201, {"ID": "new-" + content["Name"], "Id": "new-" + content["Name"]}


def _pretended(spec: dict[str, Any]) -> dict[str, Any]:
    return {"ID": "new-" + spec["Name"], "Version": {"Index": 0}, "Spec": spec}


class _Wire(http.client.HTTPConnection):
    """A connection to the real Engine."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(READ_TIMEOUT)
        self.sock.connect(ENGINE)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    journal: Journal

    def do_GET(self) -> None:
        """Pass a read on to the Engine, and add the pretended objects to its lists."""
        wire = _Wire("localhost")
        try:
            wire.request(self.command, self.path, headers={"Host": "localhost"})
            answer = wire.getresponse()
            body = answer.read()
        finally:
            wire.close()
        listed = _LIST.match(urlsplit(self.path).path)
        if listed and answer.status == 200:
            there = json.loads(body) or []
            body = json.dumps(there + self.journal.pretended[listed.group(1)]).encode()
        headers = {name: value for name in _HEADERS if (value := answer.getheader(name))}
        self._answer(answer.status, headers, body)

    do_HEAD = do_GET  # noqa: N815

    def do_POST(self) -> None:
        """Record a change and answer as if it had been made."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, content = self.journal.record(self.command, self.path, body)
        self._answer(status, {"Content-Type": "application/json"}, json.dumps(content).encode())

    do_DELETE = do_POST  # noqa: N815

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name
        """Log nothing: stderr is for errors."""


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def serve(path: str, journal: Journal) -> _Server:
    """Listen on a socket and record requests in the journal."""
    handler = type("Handler", (_Handler,), {"journal": journal})
    server = _Server(path, handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    return server


def command(job: dict[str, Any], help_text: str) -> list[str]:
    """The CLI's argument list. Digests are resolved elsewhere, with a deadline."""
    detach = ["--detach=true"] if "--detach" in help_text else []
    files = [word for name in job["compose"] for word in ("--compose-file", name)]
    return ["docker", "stack", "deploy", "--resolve-image=never", *files, *detach, job["name"]]


def run(archive: bytes, folder: Path) -> dict[str, Any]:
    """Unpack the archive, run the CLI against our socket, and return what it requested."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        # The archive is our own; older Pythons do not have the filter.
        if hasattr(tarfile, "data_filter"):
            tar.extractall(folder, filter="data")
        else:
            tar.extractall(folder)  # noqa: S202
    job = json.loads((folder / "job.json").read_text())
    journal = Journal(job["secrets"])
    address = str(folder / "engine.sock")
    server = serve(address, journal)
    environment = {
        **job["environment"],
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(folder),
        "DOCKER_CONFIG": str(folder / "no-config"),
        "DOCKER_HOST": "unix://" + address,
    }
    asked = subprocess.run(
        ["docker", "stack", "deploy", "--help"],
        env=environment, capture_output=True, text=True, timeout=job["timeout"], check=False,
    )  # fmt: skip
    done = subprocess.run(
        command(job, asked.stdout),
        cwd=folder / "stack",
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=job["timeout"],
        check=False,
    )
    server.shutdown()
    return {"code": done.returncode, "stderr": done.stderr, "requests": journal.requests}


def main() -> int:
    """Run in a private folder, and print the result."""
    memory = Path("/dev/shm")  # noqa: S108 - made private by mkdtemp
    folder = Path(tempfile.mkdtemp(prefix="swarmctl-", dir=memory if memory.is_dir() else None))
    try:
        result = run(sys.stdin.buffer.read(), folder)
    except FileNotFoundError as fault:
        result = {"code": 127, "stderr": str(fault), "requests": []}
    except subprocess.TimeoutExpired as fault:
        result = {"code": 124, "stderr": str(fault), "requests": []}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    sys.stdout.write(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
