"""The prober sends each probe at its own rate, and knows which have no answer yet."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest

from swarmctl.chaos.probes.command import Command
from swarmctl.chaos.probes.http import Http
from swarmctl.chaos.probes.planned import FixedProbe, fixed_endpoints
from swarmctl.chaos.probes.probe import Endpoint
from swarmctl.chaos.probes.prober import BackgroundProber
from swarmctl.chaos.probes.summary import summaries
from swarmctl.chaos.probes.tcp import Tcp


def _until(check: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not check():
        assert time.monotonic() < end, "waited 5 s"
        time.sleep(0.01)


@pytest.fixture
def prober() -> Iterator[Callable[..., BackgroundProber]]:
    """Starts a prober of these fixed probes; closed at the end of the test."""
    started: list[BackgroundProber] = []

    def start(*planned: FixedProbe, **services: Sequence[Endpoint]) -> BackgroundProber:
        begin = time.monotonic()
        started.append(BackgroundProber(planned, lambda: time.monotonic() - begin))
        started[-1].aim({**services, **fixed_endpoints(planned)})
        return started[-1]

    yield start
    for one in started:
        one.close()


Start = Callable[..., BackgroundProber]


def test_each_probe_is_sent_at_its_own_rate(
    prober: Start, listener: socket.socket, free_port: int
) -> None:
    good = FixedProbe("good", Tcp(*listener.getsockname()), every_s=0.02)
    bad = FixedProbe("bad", Tcp("127.0.0.1", free_port), every_s=60)
    running = prober(good, bad)
    _until(lambda: len(running.results()) >= 7)
    running.close()
    found = {summary.service: summary for summary in summaries(running.results())}
    assert (found["bad"].sent, found["bad"].lost) == (1, 1)
    assert found["bad"].failures == {"connection refused": 1}
    assert found["bad"].endpoints == (f"tcp://127.0.0.1:{free_port}",)
    assert found["good"].sent >= 6
    assert found["good"].lost == 0
    assert [p.at_s for p in running.results()] == sorted(p.at_s for p in running.results())


def test_a_service_is_probed_ten_times_a_second_in_turn_at_every_endpoint(
    prober: Start, web: str
) -> None:
    one, two = (Endpoint("web", node, Http(f"{web}/200")) for node in ("wkr1", "wkr2"))
    running = prober(web=[one, two])
    time.sleep(0.55)  # the rate is what is tested
    running.close()
    assert 5 <= len(running.results()) <= 7
    assert {result.endpoint for result in running.results()} == {one, two}


def test_a_slow_answer_does_not_delay_the_next_probe(prober: Start) -> None:
    slow = FixedProbe("slow", Command(("sleep", "0.4")), every_s=0.1, timeout_s=2.0)
    running = prober(slow)
    _until(lambda: len(running.results()) >= 4)
    sent = [result.at_s for result in running.results()]
    assert sent[2] - sent[0] < 0.4


def test_a_command_under_way_at_the_end_is_no_loss(prober: Start) -> None:
    begin = time.monotonic()
    running = prober(FixedProbe("slow", Command(("sleep", "60")), every_s=60, timeout_s=30.0))
    time.sleep(0.1)
    running.close()
    assert time.monotonic() - begin < 5
    assert running.results() == []


def test_probes_without_an_answer_yet_are_known(prober: Start, listener: socket.socket) -> None:
    """Broken: those sent into a black hole are not counted before their time-out is over."""
    port = listener.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"  # accepts, and says nothing
    running = prober(FixedProbe("hole", Http(url), every_s=0.1, timeout_s=0.5))
    _until(lambda: running.unfinished(before_s=99.0) >= 3)
    assert running.unfinished(before_s=0.0) == 0
    _until(lambda: running.unfinished(before_s=0.25) == 0)
    early = [result for result in running.results() if result.at_s < 0.25]
    assert early
    assert not any(result.ok for result in early)


def test_a_stream_that_never_ends_does_not_keep_the_prober_from_closing(prober: Start) -> None:
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def stream() -> None:
            client, _ = server.accept()
            with client:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                while not over.wait(0.02):
                    client.sendall(b"data: x\n\n")

        thread = threading.Thread(target=stream)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        running = prober(FixedProbe("stream", Http(url), every_s=60, timeout_s=0.3))
        _until(lambda: len(running.results()) == 1)
        begin = time.monotonic()
        running.close()
        assert time.monotonic() - begin < 0.2
        over.set()
        thread.join(5)
    (result,) = running.results()
    assert result.ok
    assert result.latency_s < 0.2


def test_what_is_left_out_is_no_result_before_and_after(
    prober: Start, free_port: int, listener: socket.socket
) -> None:
    """Broken: a port that is closed to us on purpose counts as lost for the whole run."""
    good = FixedProbe("good", Tcp(*listener.getsockname()), every_s=0.02)
    closed = FixedProbe("closed", Tcp("127.0.0.1", free_port), every_s=0.02)
    running = prober(good, closed)
    _until(lambda: {r.endpoint.service for r in running.results()} == {"good", "closed"})
    running.forget({"closed"})
    sent = len(running.results())
    _until(lambda: len(running.results()) > sent)
    assert {result.endpoint.service for result in running.results()} == {"good"}
