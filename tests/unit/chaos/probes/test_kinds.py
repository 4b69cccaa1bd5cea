"""Each kind of probe, against real sockets and processes."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from swarmctl.chaos.probes.command import Command
from swarmctl.chaos.probes.dns import Dns
from swarmctl.chaos.probes.http import Http
from swarmctl.chaos.probes.probe import Endpoint, Probe, ProbeCancelledError, ProbeFailedError
from swarmctl.chaos.probes.prober import send
from swarmctl.chaos.probes.tcp import Tcp

QUIET = threading.Event()


def error(probe: Probe, timeout_s: float = 1.0) -> str:
    """Why there is no good answer."""
    with pytest.raises(ProbeFailedError) as caught:
        probe.run(timeout_s, QUIET)
    return str(caught.value)


@pytest.fixture
def name_server() -> Iterator[int]:
    """Knows ``good.test``, ``bare.test`` without an address, and is silent for ``mute.test``."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                wire, client = sock.recvfrom(4096)
            except OSError:
                return
            if not wire:
                return
            question = dns.message.from_wire(wire)
            name = question.question[0].name
            answer = dns.message.make_response(question)
            answer.flags |= dns.flags.RA
            if str(name) == "mute.test.":
                continue
            if str(name) == "good.test.":
                answer.answer.append(dns.rrset.from_text(name, 5, "IN", "A", "10.0.0.7"))
            elif str(name) != "bare.test.":
                answer.set_rcode(dns.rcode.NXDOMAIN)
            sock.sendto(answer.to_wire(), client)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield sock.getsockname()[1]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
        waker.sendto(b"", sock.getsockname())
    thread.join(2)
    sock.close()


def test_a_port_that_listens_answers(listener: socket.socket) -> None:
    assert Tcp(*listener.getsockname()).run(1.0, QUIET).text == "connected"


def test_a_port_where_nobody_listens_does_not_answer(free_port: int) -> None:
    assert error(Tcp("127.0.0.1", free_port)) == "connection refused"
    assert "name" in error(Tcp("no-such-host.invalid", 1))


def test_an_address_answers_with_the_status_that_is_wanted(web: str) -> None:
    assert Http(f"{web}/404").run(1.0, QUIET).text == "HTTP 404"
    assert Http(f"{web}/204", (200, 204)).run(1.0, QUIET).text == "HTTP 204"
    assert error(Http(f"{web}/404", (200,))) == "HTTP 404"
    assert error(Http(f"{web}/503")) == "HTTP 503"


@pytest.mark.parametrize(("status", "ok"), [(200, True), (404, True), (500, False), (503, False)])
def test_a_status_of_500_or_more_is_a_loss(web: str, status: int, ok: bool) -> None:
    endpoint = Endpoint("web", "wkr1", Http(f"{web}/{status}"))
    result = send(endpoint, 1.0, time.monotonic, QUIET)
    assert (result.ok, result.detail, result.not_http) == (ok, f"HTTP {status}", False)


def test_something_else_than_http_is_told_apart() -> None:
    def close(server: socket.socket) -> None:
        client, _ = server.accept()
        with client:
            client.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=close, args=(server,)).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        result = send(Endpoint("db", "wkr1", Http(url)), 1.0, time.monotonic, QUIET)
    assert (result.ok, result.not_http) == (False, True)


def test_what_speaks_no_http_or_nothing_does_not_answer(
    listener: socket.socket, free_port: int
) -> None:
    port = listener.getsockname()[1]
    assert error(Http(f"http://127.0.0.1:{port}/"), 0.1) == "no answer within 0.1 s"
    assert error(Http(f"http://127.0.0.1:{free_port}/")) == "connection refused"


def test_a_name_is_resolved_by_the_server_that_is_named(name_server: int) -> None:
    def ask(name: str, **more: str) -> Dns:
        return Dns(name, "127.0.0.1", name_server, **more)

    assert ask("good.test").run(1.0, QUIET).text == "10.0.0.7"
    assert ask("good.test", answer="10.0.0.7").run(1.0, QUIET).text == "10.0.0.7"
    assert error(ask("good.test", answer="10.0.0.8")) == "other answers: 10.0.0.7"
    assert error(ask("gone.test")) == "no such name"
    assert error(ask("bare.test")) == "no A record"
    assert error(ask("mute.test"), 0.2) == "no answer within 0.2 s"


def test_a_command_answers_by_its_exit_code() -> None:
    assert Command(("true",)).run(5.0, QUIET).text == "exit 0"
    assert error(Command(("sh", "-c", "echo on stdout; echo no luck >&2; exit 3")), 5.0) == (
        "exit 3: no luck"
    )
    assert error(Command(("sh", "-c", "kill -TERM $$")), 5.0) == "signal 15"
    assert error(Command(("no-such-program-here",))).startswith("cannot be run: ")


def test_of_what_a_command_says_one_short_line_is_kept() -> None:
    flood = "import sys; sys.stderr.write('x' * 3000000 + '\\n\\x1b[31m' + 'y' * 500); sys.exit(1)"
    said = error(Command((sys.executable, "-c", flood)), 20.0)
    assert said.startswith("exit 1: [31myyy")
    assert len(said) <= 160
    assert said.isprintable()


def test_a_command_that_hangs_is_killed_with_all_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 60 & echo $! > {pids}; echo $$ >> {pids}; wait"
    begin = time.monotonic()
    assert error(Command(("sh", "-c", script)), 0.5) == "no answer within 0.5 s"
    assert time.monotonic() - begin < 5
    for pid in map(int, pids.read_text().split()):
        assert not _runs(pid)


def test_what_a_command_leaves_behind_is_killed_too(tmp_path: Path) -> None:
    """A child that keeps the pipe open must not keep the probe waiting."""
    pids = tmp_path / "pids"
    begin = time.monotonic()
    assert Command(("sh", "-c", f"sleep 60 & echo $! > {pids}")).run(20.0, QUIET).text == "exit 0"
    assert time.monotonic() - begin < 5
    assert not _runs(int(pids.read_text()))


def test_a_command_ends_at_once_when_the_run_does() -> None:
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    begin = time.monotonic()
    with pytest.raises(ProbeCancelledError):
        Command(("sleep", "60")).run(30.0, stop)
    assert time.monotonic() - begin < 5


def _runs(pid: int) -> bool:
    for _ in range(100):  # an orphan is reaped by init, whenever that gets to it
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        if state == "Z":
            return False
        time.sleep(0.02)
    return True


def test_where_a_probe_goes_tells_no_secrets() -> None:
    assert Http("https://user:secret@lb.example/x?token=secret").address == "https://lb.example/x"
    assert Command(("curl", "-H", "Authorization: secret")).address == "command curl"
    assert Tcp("::1", 5432).address == "tcp://[::1]:5432"
