"""Talking to managers: whose key is trusted, what is said when it fails, who is asked next.

The managers are SSH servers in this process, on loopback, that answer like an Engine.
"""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import paramiko
import pytest

from swarmctl.errors import SwarmctlError
from swarmctl.swarm.client import SwarmClient
from swarmctl.swarm.connect import Failover, connect
from swarmctl.swarm.manager_errors import not_now
from swarmctl.swarm.parse import parse_swarm
from swarmctl.swarm.snapshot import take_snapshot
from swarmctl.swarm.ssh import Endpoint, ManagerError, NotNowError
from tests.unit.engine_json import node, service, task
from tests.unit.swarm.ssh_server import Site, SshServer

ANSWERS: dict[str, object] = {
    "/swarm": {"ID": "the-swarm"},
    "/nodes": [node("mgr1", "manager", leader=True)],
    "/services": [service("web")],
    "/tasks": [task("web", "mgr1", 1)],
    "/networks": [],
    "/info": {"SystemTime": "2026-01-02T03:04:05.678901234Z"},
}


@dataclass
class Manager(SshServer):
    """An SSH server whose every command speaks the Engine's HTTP, or complains."""

    complaint: str = ""
    status: int = 200
    explanation: str = ""
    silent: bool = False
    kept_back: str = ""

    def answer(self, channel: paramiko.Channel, command: str) -> None:
        assert command == "docker system dial-stdio"
        if self.complaint:
            channel.sendall_stderr(self.complaint.encode())
            channel.close()
            return
        request = b""
        while part := channel.recv(4096):
            request += part
            if request.endswith(b"\r\n\r\n") and not self.silent:
                channel.sendall(self._response(request.split()[1].decode()))
                request = b""

    def _response(self, path: str) -> bytes:
        path = "/" + path.partition("?")[0].rpartition("/")[2]
        status = 200 if path == "/_ping" else 403 if path == self.kept_back else self.status
        good = status == 200
        body = json.dumps(ANSWERS.get(path, "OK") if good else {"message": self.explanation})
        head = f"HTTP/1.1 {status} x\r\nApi-Version: 1.45\r\n"
        type_ = "Content-Type: application/json\r\n"
        return f"{head}{type_}Content-Length: {len(body)}\r\n\r\n{body}".encode()


@dataclass
class Careful(Manager):
    """Behind a proxy."""

    kept_back: str = "/swarm"


def test_a_snapshot_comes_through_ssh_from_many_threads_at_once(site: Site) -> None:
    _, endpoint = site.add(Manager)
    with connect([endpoint]) as client, ThreadPoolExecutor(6) as pool:
        assert client.cluster_id() == "the-swarm"
        assert client.address == "127.0.0.1"
        seen = list(pool.map(lambda _: client.snapshot(), range(24)))
        assert {s.running(s.services[0]) for s in seen} == {1}


def test_a_proxy_that_keeps_back_the_join_tokens_is_good_enough(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: the page on a manager needs the tokens with which anybody joins the Swarm."""
    _, endpoint = site.add(Careful)
    info = {"SystemTime": "2026-01-02T03:04:05Z", "Swarm": {"Cluster": {"ID": "the-swarm"}}}
    monkeypatch.setitem(ANSWERS, "/info", info)
    with connect([endpoint]) as client:
        assert client.cluster_id() == "the-swarm"
        assert len(client.snapshot().tasks) == 1


def test_behind_such_a_proxy_a_node_that_is_no_manager_is_refused_in_words(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, endpoint = site.add(Careful)
    monkeypatch.setitem(ANSWERS, "/info", {"Swarm": {"NodeID": "1", "Cluster": None}})
    with pytest.raises(ManagerError, match="refused"):
        connect([endpoint])


def test_an_answer_that_is_not_as_documented_is_an_error_that_names_the_place(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: a traceback, at the first Engine that leaves out or renames a key."""
    _, endpoint = site.add(Manager)
    odd = {**node("wkr1"), "Status": {"State": 3}}
    monkeypatch.setitem(ANSWERS, "/nodes", [node("mgr1", "manager", leader=True), odd])
    with connect([endpoint]) as client:
        for read in (client.snapshot, lambda: parse_swarm(take_snapshot(client))):
            with pytest.raises(SwarmctlError) as caught:
                read()
            message = "nodes[1].Status.State: expected a text that is not empty, found 3"
            assert caught.value.message == message


def test_a_snapshot_has_the_managers_time(site: Site) -> None:
    """Broken: this machine's clock is ten minutes fast, and no failure is recent."""
    _, endpoint = site.add(Manager)
    with connect([endpoint]) as client:
        assert take_snapshot(client)["taken_at"] == "2026-01-02T03:04:05.678901234Z"


def test_an_unknown_host_key_is_refused(site: Site) -> None:
    _, endpoint = site.add(Manager)
    with pytest.raises(ManagerError, match=r"is not known: .* has no entry 'i-9'") as caught:
        connect([replace(endpoint, host_key_alias="i-9")])
    assert "swarmctl node trust" in caught.value.hint


def test_a_node_named_by_its_address_is_reached_with_its_clusters_key(site: Site) -> None:
    _, node = site.add(Manager)
    (site.folder / "id").rename(site.folder / "id_ed25519")
    by_address = replace(
        node,
        host_key_alias="127.0.0.1",
        key_file=None,
        known_hosts=(site.folder / "none",),
        clusters=(site.folder / "another", site.folder),
    )
    with connect([by_address]) as client:
        assert client.cluster_id() == "the-swarm"


def test_an_address_with_a_host_key_of_no_node_is_refused(site: Site) -> None:
    _, node = site.add(Manager)
    (site.folder / "id").rename(site.folder / "id_ed25519")
    only_others = [line for line in (site.folder / "known_hosts").open() if "i-0 " not in line]
    (site.folder / "known_hosts").write_text("".join(only_others))
    stranger = replace(node, host_key_alias="x", key_file=None, clusters=(site.folder,))
    with pytest.raises(ManagerError, match="is not known"):
        connect([stranger])


def test_another_host_key_is_refused(site: Site) -> None:
    _, endpoint = site.add(Manager)
    with pytest.raises(ManagerError, match="is not the recorded one") as caught:
        connect([replace(endpoint, host_key_alias="i-1")])
    assert "swarmctl node trust" in caught.value.hint


def test_a_missing_known_hosts_trusts_nobody(site: Site) -> None:
    _, endpoint = site.add(Manager)
    with pytest.raises(ManagerError, match="is not known"):
        connect([replace(endpoint, known_hosts=(site.folder / "none",))])


def test_a_refused_login_names_key_and_user(site: Site) -> None:
    _, endpoint = site.add(Manager)
    with pytest.raises(ManagerError, match=r"/id was refused for the user 'nobody'"):
        connect([replace(endpoint, user="nobody")])


@pytest.mark.parametrize(
    ("password", "said"), [("secret", "has a passphrase"), (None, "is no private key")]
)
def test_a_key_that_cannot_be_used_is_named(site: Site, password: str | None, said: str) -> None:
    _, endpoint = site.add(Manager)
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
    manager, endpoint = site.add(Manager)
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
    manager, endpoint = site.add(Manager)
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
    manager, endpoint = site.add(Manager)
    manager.silent = True
    with pytest.raises(NotNowError, match="no answer from the Docker Engine"):
        SwarmClient(endpoint, connect_timeout=0.3, request_timeout=0.3)


def test_managers_without_a_leader_are_worth_waiting_for_even_if_others_are_dead(
    site: Site,
) -> None:
    dead, first = site.add(Manager)
    waiting, second = site.add(Manager)
    dead.die()
    waiting.status, waiting.explanation = 500, "The swarm does not have a leader."
    with pytest.raises(NotNowError):
        connect([first, second])


def test_the_next_manager_is_asked_when_one_is_dead_or_silent(site: Site) -> None:
    dead, first = site.add(Manager)
    silent, second = site.add(Manager)
    _, third = site.add(Manager)
    dead.die()
    silent.silent = True
    started = time.monotonic()
    with connect([first, second, third]) as client:
        assert client.endpoint == third
    assert time.monotonic() - started < 3


def test_when_nobody_answers_every_manager_is_listed_with_its_error(site: Site) -> None:
    dead, first = site.add(Manager)
    denied, second = site.add(Manager)
    dead.die()
    denied.complaint = "permission denied"
    with pytest.raises(SwarmctlError) as caught:
        connect([first, second])
    text = caught.value.message
    assert f"mgr0 (admin@127.0.0.1:{first.port}): Connection refused" in text
    assert f"mgr1 (admin@127.0.0.1:{second.port}): the user 'admin' may not" in text


def test_a_poll_goes_on_with_the_next_manager_when_its_own_dies(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swarmctl.swarm.connect.STAGGER", 30)  # a busy machine is slow, not dead
    dying, first = site.add(Manager)
    _, second = site.add(Manager)
    with Failover([first, second]) as swarm:
        assert swarm.snapshot().nodes
        before = swarm.client().endpoint
        dying.die()
        assert swarm.snapshot().nodes
        assert (before, swarm.client().endpoint) == (first, second)


def test_a_manager_that_falls_silent_is_given_up_after_the_request_timeout(site: Site) -> None:
    manager, endpoint = site.add(Manager)
    client = SwarmClient(endpoint, request_timeout=0.3)
    with client:
        manager.silent = True
        started = time.monotonic()
        with pytest.raises(ManagerError, match="no answer from the Docker Engine"):
            client.snapshot()
        assert time.monotonic() - started < 2


def test_a_connection_is_made_again_after_everyone_was_away(site: Site) -> None:
    manager, endpoint = site.add(Manager)
    with Failover([endpoint]) as swarm:
        manager.status, manager.explanation = 500, "The swarm does not have a leader."
        with pytest.raises(ManagerError, match="no leader"):
            swarm.snapshot()
        assert swarm.address == ""
        manager.status = 200
        assert swarm.snapshot().nodes


def test_a_connection_closed_by_another_thread_is_a_managers_failure(site: Site) -> None:
    _, endpoint = site.add(Manager)
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
