"""A pull through SSH to an Engine that stops answering ends by its deadline."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
import pytest

from swarmctl.prefetch.plan import Pull
from swarmctl.prefetch.pull import pull_all
from tests.unit.swarm.ssh_server import Site, SshServer


@dataclass
class Stuck(SshServer):
    """An Engine whose pull begins and does not go on."""

    ended: threading.Event = field(default_factory=threading.Event)

    def answer(self, channel: paramiko.Channel, command: str) -> None:
        assert command == "docker system dial-stdio"
        channel.recv(4096)
        line = b'{"status": "Pulling fs layer"}\r\n'
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        channel.sendall(head + b"%x\r\n" % len(line) + line + b"\r\n")
        self.ended.wait(30)
        self.ended.set()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    user, host = paramiko.RSAKey.generate(2048), paramiko.RSAKey.generate(2048)
    user.write_private_key_file(str(tmp_path / "id"))
    (tmp_path / "known_hosts").write_text(f"i-0 ssh-rsa {host.get_base64()}\n")
    made = Site(tmp_path, user, [host])
    yield made
    for server in made.servers:
        server.die()


def test_a_pull_that_stops_is_cut_off_and_says_what_was_seen_last(site: Site) -> None:
    stuck, endpoint = site.add(Stuck)
    wanted = [Pull("wkr1", "httpd:2.4", ())]
    (done,) = pull_all(wanted, {"wkr1": endpoint}, lambda _: "", timeout_s=2)
    assert done.fault == "not pulled within 2 s; last seen: Pulling fs layer"
    assert not stuck.ended.is_set()
