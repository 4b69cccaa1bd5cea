"""Talking to managers: whose key is trusted, what is said when it fails, who is asked next.

The managers are SSH servers in this process, on loopback, that answer like an Engine.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import paramiko
import pytest
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from swarmctl.errors import SwarmctlError
from swarmctl.swarm.client import Endpoint, Failover, ManagerError, SwarmClient, connect, not_now
from swarmctl.swarm.ssh import NotNowError
from tests.unit.engine_json import node, service, task

ANSWERS: dict[str, object] = {
    "/swarm": {"ID": "the-swarm"},
    "/nodes": [node("mgr1", "manager", leader=True)],
    "/services": [service("web")],
    "/tasks": [task("web", "mgr1", 1)],
}


@dataclass
class Manager(paramiko.ServerInterface):
    """An SSH server whose every command speaks the Engine's HTTP, or complains."""

    key: paramiko.RSAKey
    user_key: paramiko.RSAKey
    complaint: str = ""
    status: int = 200
    explanation: str = ""
    silent: bool = False
    transports: list[paramiko.Transport] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                wire, _ = self.listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(wire)
            transport.add_server_key(self.key)
            self.transports.append(transport)
            transport.start_server(event=threading.Event(), server=self)

    def die(self) -> None:
        with suppress(OSError):  # it may be dead already
            # not only closed: that would not end the accept() that another thread is in
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for transport in self.transports:
            transport.close()

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        known = username == "admin" and key == self.user_key
        return AUTH_SUCCESSFUL if known else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        assert command == b"docker system dial-stdio"
        threading.Thread(target=self._serve, args=(channel,), daemon=True).start()
        return True

    def _serve(self, channel: paramiko.Channel) -> None:
        if self.complaint:
            channel.sendall_stderr(self.complaint.encode())
            channel.close()
            return
        with suppress(OSError, EOFError):  # whoever asked may hang up at any time
            self._answer_all(channel)

    def _answer_all(self, channel: paramiko.Channel) -> None:
        request = b""
        while part := channel.recv(4096):
            request += part
            if request.endswith(b"\r\n\r\n") and not self.silent:
                channel.sendall(self._answer(request.split()[1].decode()))
                request = b""

    def _answer(self, path: str) -> bytes:
        path = "/" + path.partition("?")[0].rpartition("/")[2]
        good = path == "/_ping" or self.status == 200
        body = json.dumps(ANSWERS.get(path, "OK") if good else {"message": self.explanation})
        head = f"HTTP/1.1 {200 if good else self.status} x\r\nApi-Version: 1.45\r\n"
        type_ = "Content-Type: application/json\r\n"
        return f"{head}{type_}Content-Length: {len(body)}\r\n\r\n{body}".encode()


@dataclass
class Site:
    """Managers, and a state folder that knows their host keys."""

    folder: Path
    user_key: paramiko.RSAKey
    keys: list[paramiko.RSAKey]
    managers: list[Manager] = field(default_factory=list)

    def manager(self) -> tuple[Manager, Endpoint]:
        number = len(self.managers)
        made = Manager(self.keys[number], self.user_key)
        self.managers.append(made)
        endpoint = Endpoint(
            address="127.0.0.1",
            user="admin",
            port=made.port,
            host_key_alias=f"i-{number}",
            key_file=self.folder / "id",
            known_hosts=(self.folder / "known_hosts",),
            name=f"mgr{number}",
        )
        return made, endpoint


@pytest.fixture(scope="module")
def keys() -> list[paramiko.RSAKey]:
    return [paramiko.RSAKey.generate(2048) for _ in range(4)]


@pytest.fixture
def site(tmp_path: Path, keys: list[paramiko.RSAKey]) -> Iterator[Site]:
    user_key, *host_keys = keys
    user_key.write_private_key_file(str(tmp_path / "id"))
    lines = [f"i-{i} ssh-rsa {key.get_base64()}\n" for i, key in enumerate(host_keys)]
    (tmp_path / "known_hosts").write_text("".join(lines))
    made = Site(tmp_path, user_key, host_keys)
    yield made
    for manager in made.managers:
        manager.die()


def test_a_snapshot_comes_through_ssh_from_many_threads_at_once(site: Site) -> None:
    _, endpoint = site.manager()
    with connect([endpoint]) as client, ThreadPoolExecutor(6) as pool:
        assert client.cluster_id() == "the-swarm"
        assert client.address == "127.0.0.1"
        seen = list(pool.map(lambda _: client.snapshot(), range(24)))
        assert {s.running(s.services[0]) for s in seen} == {1}


def test_an_unknown_host_key_is_refused(site: Site) -> None:
    _, endpoint = site.manager()
    with pytest.raises(ManagerError, match=r"is not known: .* has no entry 'i-9'") as caught:
        connect([replace(endpoint, host_key_alias="i-9")])
    assert "playbooks" in caught.value.hint


def test_another_host_key_is_refused(site: Site) -> None:
    _, endpoint = site.manager()
    with pytest.raises(ManagerError, match="is not the recorded one") as caught:
        connect([replace(endpoint, host_key_alias="i-1")])
    assert "-R i-1" in caught.value.hint


def test_a_missing_known_hosts_trusts_nobody(site: Site) -> None:
    _, endpoint = site.manager()
    with pytest.raises(ManagerError, match="is not known"):
        connect([replace(endpoint, known_hosts=(site.folder / "none",))])


def test_a_refused_login_names_key_and_user(site: Site) -> None:
    _, endpoint = site.manager()
    with pytest.raises(ManagerError, match=r"/id was refused for the user 'nobody'"):
        connect([replace(endpoint, user="nobody")])


@pytest.mark.parametrize(
    ("password", "said"), [("secret", "has a passphrase"), (None, "is no private key")]
)
def test_a_key_that_cannot_be_used_is_named(site: Site, password: str | None, said: str) -> None:
    _, endpoint = site.manager()
    assert endpoint.key_file is not None
    if password:
        site.user_key.write_private_key_file(str(endpoint.key_file), password)
    else:
        endpoint.key_file.write_text("no key")
    with pytest.raises(ManagerError, match=f"/id {said}"):
        connect([endpoint])


@pytest.mark.parametrize(
    ("complaint", "said"),
    [
        ("permission denied while trying to connect to …", "the user 'admin' may not use"),
        ("Cannot connect to the Docker daemon at unix:///…", "the Docker Engine is not running"),
        ("bash: docker: command not found", "there is no Docker CLI"),
        ("something else\nthe last line", "the last line"),
    ],
)
def test_the_remote_complaint_is_explained(site: Site, complaint: str, said: str) -> None:
    manager, endpoint = site.manager()
    manager.complaint = complaint
    with pytest.raises(ManagerError, match=said):
        connect([endpoint])


@pytest.mark.parametrize(
    ("status", "explanation", "said"),
    [
        (503, "This node is not a swarm manager. Use …", "it is not a manager of a Swarm"),
        (500, "rpc error: The swarm does not have a leader. It's …", "the managers have no leader"),
        (
            500,
            "rpc error: code = Unknown desc = raft: failed to process the request: "
            "node lost leader status",
            "the managers have no leader",
        ),
    ],
)
def test_a_manager_that_cannot_answer_says_why(
    site: Site, status: int, explanation: str, said: str
) -> None:
    manager, endpoint = site.manager()
    manager.status, manager.explanation = status, explanation
    with pytest.raises(ManagerError, match=said):
        connect([endpoint])


@pytest.mark.parametrize(
    ("words", "busy"),
    [
        ("raft: failed to process the request: node lost leader status", True),
        ("raft: failed to process the request: node is stopped", True),
        ("raft: no elected cluster leader", True),
        ("rpc error: code = Unavailable desc = connection error", True),
        ("rpc error: code = Unknown desc = context deadline exceeded", True),
        ("raft: raft message is too large and can't be sent", False),
        ("rpc error: code = Unknown desc = update out of sequence", False),
        ("rpc error: code = InvalidArgument desc = name must be valid", False),
    ],
)
def test_what_an_election_says_is_told_from_a_refusal(words: str, busy: bool) -> None:
    assert not_now(words) is busy


def test_an_engine_that_hangs_on_a_machine_that_is_there_is_worth_waiting_for(site: Site) -> None:
    manager, endpoint = site.manager()
    manager.silent = True
    with pytest.raises(NotNowError, match="no answer from the Docker Engine"):
        SwarmClient(endpoint, connect_timeout=0.3, request_timeout=0.3)


def test_managers_without_a_leader_are_worth_waiting_for_even_if_others_are_dead(
    site: Site,
) -> None:
    dead, first = site.manager()
    waiting, second = site.manager()
    dead.die()
    waiting.status, waiting.explanation = 500, "The swarm does not have a leader."
    with pytest.raises(NotNowError):
        connect([first, second])


def test_the_next_manager_is_asked_when_one_is_dead_or_silent(site: Site) -> None:
    dead, first = site.manager()
    silent, second = site.manager()
    _, third = site.manager()
    dead.die()
    silent.silent = True
    started = time.monotonic()
    with connect([first, second, third]) as client:
        assert client.endpoint == third
    assert time.monotonic() - started < 3


def test_when_nobody_answers_every_manager_is_listed_with_its_error(site: Site) -> None:
    dead, first = site.manager()
    denied, second = site.manager()
    dead.die()
    denied.complaint = "permission denied"
    with pytest.raises(SwarmctlError) as caught:
        connect([first, second])
    text = caught.value.message
    assert f"mgr0 (admin@127.0.0.1:{first.port}): Connection refused" in text
    assert f"mgr1 (admin@127.0.0.1:{second.port}): the user 'admin' may not" in text


def test_a_poll_goes_on_with_the_next_manager_when_its_own_dies(site: Site) -> None:
    dying, first = site.manager()
    _, second = site.manager()
    with Failover([first, second]) as swarm:
        assert swarm.snapshot().nodes
        before = swarm.client().endpoint
        dying.die()
        assert swarm.snapshot().nodes
        assert (before, swarm.client().endpoint) == (first, second)


def test_a_manager_that_falls_silent_is_given_up_after_the_request_timeout(site: Site) -> None:
    manager, endpoint = site.manager()
    client = SwarmClient(endpoint, request_timeout=0.3)
    with client:
        manager.silent = True
        started = time.monotonic()
        with pytest.raises(ManagerError, match="no answer from the Docker Engine"):
            client.snapshot()
        assert time.monotonic() - started < 2


def test_a_connection_is_made_again_after_everyone_was_away(site: Site) -> None:
    manager, endpoint = site.manager()
    with Failover([endpoint]) as swarm:
        manager.status, manager.explanation = 500, "The swarm does not have a leader."
        with pytest.raises(ManagerError, match="no leader"):
            swarm.snapshot()
        assert swarm.address == ""
        manager.status = 200
        assert swarm.snapshot().nodes


def test_a_connection_closed_by_another_thread_is_a_managers_failure(site: Site) -> None:
    _, endpoint = site.manager()
    with connect([endpoint]) as client, ThreadPoolExecutor(4) as pool:

        def poll() -> None:
            while True:
                client.snapshot()

        polls = [pool.submit(poll) for _ in range(4)]
        client.snapshot()
        client.close()
        for fault in (poll.exception(timeout=5) for poll in polls):
            assert isinstance(fault, ManagerError)


def test_an_engine_that_is_not_there_is_no_traceback(tmp_path: Path) -> None:
    with pytest.raises(ManagerError, match=r"Engine cannot be used: .*No such file"):
        connect([Endpoint(f"unix://{tmp_path}/none.sock")])
