"""Probes beyond published services: real sockets on loopback, and what they mean for a verdict."""

from __future__ import annotations

import http.server
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from swarmctl.chaos.plan.hypothesis import Hypothesis, Tolerance
from swarmctl.chaos.probes import custom_probes
from swarmctl.chaos.probes import http as probes
from swarmctl.chaos.probes.asks import Ask, Command, Dns, Http, SilentError, Tcp
from swarmctl.chaos.probes.custom_probes import CustomProbe, Probers
from swarmctl.chaos.probes.http import Places
from swarmctl.chaos.world.protocols import Endpoint, Probe, ServiceProbe
from swarmctl.errors import RefusedError, UsageError
from swarmctl.swarm.model import Port, Swarm
from tests.unit.chaos.chaos_fakes import Stage, node, service, stage

QUIET = threading.Event()


def silence(ask: Ask, timeout_s: float = 1.0) -> str:
    """Why there is no good answer."""
    with pytest.raises(SilentError) as caught:
        ask.ask(timeout_s, QUIET)
    return str(caught.value)


# -- how things are asked --------------------------------------------------------------------------


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Accepts connections, says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def free_port(listener: socket.socket) -> int:
    """A port where nobody listens any more."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(self.path.rpartition("/")[2]))
        self.end_headers()

    def log_message(self, *args: object) -> None:
        del args


@pytest.fixture
def web() -> Iterator[str]:
    """Answers ``/404`` with 404, and so on."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Answer)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


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
    assert Tcp(*listener.getsockname()).ask(1.0, QUIET) == "connected"


def test_a_port_where_nobody_listens_does_not_answer(free_port: int) -> None:
    assert silence(Tcp("127.0.0.1", free_port)) == "connection refused"
    assert "name" in silence(Tcp("no-such-host.invalid", 1))


def test_an_address_answers_with_the_status_that_is_wanted(web: str) -> None:
    assert Http(f"{web}/404").ask(1.0, QUIET) == "HTTP 404"
    assert Http(f"{web}/204", (200, 204)).ask(1.0, QUIET) == "HTTP 204"
    assert silence(Http(f"{web}/404", (200,))) == "HTTP 404"
    assert silence(Http(f"{web}/503")) == "HTTP 503"


def test_what_speaks_no_http_or_nothing_does_not_answer(
    listener: socket.socket, free_port: int
) -> None:
    port = listener.getsockname()[1]
    assert silence(Http(f"http://127.0.0.1:{port}/"), 0.1) == "no answer within 0.1 s"
    assert silence(Http(f"http://127.0.0.1:{free_port}/")) == "connection refused"


def test_a_name_is_resolved_by_the_server_that_is_named(name_server: int) -> None:
    def ask(name: str, **more: str) -> Dns:
        return Dns(name, "127.0.0.1", name_server, **more)

    assert ask("good.test").ask(1.0, QUIET) == "10.0.0.7"
    assert ask("good.test", answer="10.0.0.7").ask(1.0, QUIET) == "10.0.0.7"
    assert silence(ask("good.test", answer="10.0.0.8")) == "other answers: 10.0.0.7"
    assert silence(ask("gone.test")) == "no such name"
    assert silence(ask("bare.test")) == "no A record"
    assert silence(ask("mute.test"), 0.2) == "no answer within 0.2 s"


def test_a_command_answers_by_its_exit_code() -> None:
    assert Command(("true",)).ask(5.0, QUIET) == "exit 0"
    assert silence(Command(("sh", "-c", "echo on stdout; echo no luck >&2; exit 3")), 5.0) == (
        "exit 3: no luck"
    )
    assert silence(Command(("sh", "-c", "kill -TERM $$")), 5.0) == "signal 15"
    assert silence(Command(("no-such-program-here",))).startswith("cannot be run: ")


def test_of_what_a_command_says_one_short_line_is_kept() -> None:
    flood = "import sys; sys.stderr.write('x' * 3000000 + '\\n\\x1b[31m' + 'y' * 500); sys.exit(1)"
    said = silence(Command((sys.executable, "-c", flood)), 20.0)
    assert said.startswith("exit 1: [31myyy")
    assert len(said) <= 160
    assert said.isprintable()


def test_a_command_that_hangs_is_killed_with_all_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"sleep 60 & echo $! > {pids}; echo $$ >> {pids}; wait"
    begin = time.monotonic()
    assert silence(Command(("sh", "-c", script)), 0.5) == "no answer within 0.5 s"
    assert time.monotonic() - begin < 5
    for pid in map(int, pids.read_text().split()):
        assert not _runs(pid)


def test_what_a_command_leaves_behind_is_killed_too(tmp_path: Path) -> None:
    """A child that keeps the pipe open must not keep the probe waiting."""
    pids = tmp_path / "pids"
    begin = time.monotonic()
    assert Command(("sh", "-c", f"sleep 60 & echo $! > {pids}")).ask(20.0, QUIET) == "exit 0"
    assert time.monotonic() - begin < 5
    assert not _runs(int(pids.read_text()))


def test_a_command_ends_at_once_when_the_run_does() -> None:
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    begin = time.monotonic()
    with pytest.raises(SilentError, match="called off"):
        Command(("sleep", "60")).ask(30.0, stop)
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
    assert Http("https://user:secret@lb.example/x?token=secret").where == "https://lb.example/x"
    assert Command(("curl", "-H", "Authorization: secret")).where == "command curl"
    assert Tcp("::1", 5432).where == "tcp://[::1]:5432"


# -- the prober ------------------------------------------------------------------------------------


@dataclass
class _Others:
    """The prober for published services."""

    aims: Mapping[str, Sequence[Endpoint]] = field(default_factory=dict)
    closed: bool = False

    def aim(self, endpoints: Mapping[str, Sequence[Endpoint]]) -> None:
        self.aims = endpoints

    def results(self) -> Sequence[Probe]:
        return [Probe(0.5, Endpoint("web", "wkr1", "h", 80), True, 0.0, "HTTP 200")]

    def close(self) -> None:
        self.closed = True


def _until(check: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not check():
        assert time.monotonic() < end, "waited 5 s"
        time.sleep(0.01)


def test_each_probe_is_asked_at_its_own_rate_and_kept_like_the_others(
    listener: socket.socket, free_port: int
) -> None:
    begin = time.monotonic()
    good = CustomProbe("good", Tcp(*listener.getsockname()), every_s=0.02)
    bad = CustomProbe("bad", Tcp("127.0.0.1", free_port), every_s=60)
    others = _Others()
    prober = Probers(others, (good, bad), lambda: time.monotonic() - begin)
    web = Endpoint("web", "wkr1", "h", 80)
    prober.aim({"web": (web,), **custom_probes.fixed((good, bad))})
    _until(lambda: len(prober.results()) >= 8)
    prober.close()
    assert others.closed
    assert others.aims == {"web": (web,)}
    found = {summary.service: summary for summary in probes.summaries(prober.results())}
    assert (found["bad"].sent, found["bad"].lost) == (1, 1)
    assert found["bad"].failures == {"connection refused": 1}
    assert found["bad"].endpoints == (f"tcp://127.0.0.1:{free_port}",)
    assert found["good"].sent >= 6
    assert found["good"].lost == 0
    assert [p.at_s for p in prober.results()] == sorted(p.at_s for p in prober.results())


def test_a_slow_answer_does_not_keep_the_next_question() -> None:
    begin = time.monotonic()
    slow = CustomProbe("slow", Command(("sleep", "0.4")), every_s=0.1, timeout_s=2.0)
    prober = Probers(_Others(), (slow,), lambda: time.monotonic() - begin)
    prober.aim(custom_probes.fixed((slow,)))
    _until(lambda: len(prober.results()) >= 4)
    prober.close()
    sent = [p.at_s for p in prober.results() if p.endpoint.service == "slow"]
    assert sent[2] - sent[0] < 0.4


def test_what_is_under_way_at_the_end_is_no_loss() -> None:
    begin = time.monotonic()
    slow = CustomProbe("slow", Command(("sleep", "60")), every_s=60, timeout_s=30.0)
    prober = Probers(_Others(), (slow,), lambda: time.monotonic() - begin)
    prober.aim(custom_probes.fixed((slow,)))
    time.sleep(0.1)
    prober.close()
    assert time.monotonic() - begin < 5
    assert [p for p in prober.results() if p.endpoint.service == "slow"] == []


# -- which services --------------------------------------------------------------------------------


def _published(name: str) -> Port:
    return Port("tcp", 80, {"web": 8080, "shop": 8081}[name], "ingress")


def _swarm() -> Swarm:
    web, shop = (
        service(
            name,
            2,
            ports=(_published(name),),
            labels={"com.docker.stack.namespace": "app", "swarmctl.probe.path": "label"},
        )
        for name in ("web", "shop")
    )
    return Swarm((node("mgr1", "manager"), node("wkr1")), (web, shop, service("db", 1)), ())


def test_services_that_are_listed_are_the_only_ones_that_are_asked() -> None:
    def names(*listed: custom_probes.AnyProbe) -> list[str]:
        return [s.name for s in custom_probes.services(_swarm(), None, listed)]

    tcp = CustomProbe("x", Tcp("h", 1))
    assert names(tcp) == ["web", "shop"]
    assert names(tcp, ServiceProbe("shop")) == ["shop"]
    assert names(ServiceProbe("*")) == ["web", "shop"]
    assert custom_probes.services(_swarm(), "none", (tcp,)) == ()
    with pytest.raises(UsageError, match="unknown service 'shpo'"):
        names(ServiceProbe("shpo"))
    with pytest.raises(UsageError, match="publishes no TCP port"):
        names(ServiceProbe("db"))
    with pytest.raises(UsageError, match="the probe web has the name of a service"):
        names(CustomProbe("web", Tcp("h", 1)))


def test_path_and_status_of_a_file_win_over_the_label() -> None:
    swarm = _swarm()
    listed = (ServiceProbe("web", "/api", (200,)), CustomProbe("x", Tcp("h", 1)))
    places = Places(
        swarm.services[:2],
        {},
        (),
        expected=custom_probes.expectations(listed),
        fixed=custom_probes.fixed(listed),
    ).at(swarm)
    assert {(p.path, p.status) for p in places["web"]} == {("/api", (200,))}
    assert {(p.path, p.status) for p in places["shop"]} == {("/label", ())}
    assert [p.url for p in places["x"]] == ["tcp://h:1"]


def test_a_status_that_was_not_wanted_is_a_loss(web: str) -> None:
    port = int(web.rpartition(":")[2])
    place = Endpoint("web", "wkr1", "127.0.0.1", port, "/404")
    assert probes.probe(place, lambda: 0.0).ok
    assert not probes.probe(replace(place, status=(200,)), lambda: 0.0).ok
    assert probes.probe(replace(place, status=(404,)), lambda: 0.0).ok


# -- in an experiment ------------------------------------------------------------------------------

DB = CustomProbe("database", Tcp("10.0.0.9", 5432))


def _stage(
    root: Path, *listed: custom_probes.AnyProbe, hypothesis: Hypothesis | None = None
) -> Stage:
    return stage(root, probes=listed, hypothesis=hypothesis or Hypothesis(within_s=60.0))


def test_a_probe_that_never_fails_holds(tmp_path: Path) -> None:
    s = _stage(tmp_path, DB, hypothesis=Hypothesis(60, tolerances={"database": Tolerance(1.0, 0)}))
    journal = s.experiment.run()
    assert journal.outcome == "held"
    (summary,) = journal.probes
    assert (summary.service, summary.lost, summary.endpoints) == (
        "database",
        0,
        ("tcp://10.0.0.9:5432",),
    )
    assert {(p.service, p.node) for p in journal.probe_log} == {("database", "")}


def test_a_probe_that_does_not_answer_before_the_fault_refuses(tmp_path: Path) -> None:
    s = _stage(tmp_path, DB)
    s.prober.silent = lambda endpoint: True
    with pytest.raises(RefusedError, match=r"database \(tcp://10.0.0.9:5432\): connection refused"):
        s.experiment.run()
    assert not any(line.startswith("stop") for line in s.lab.log)


def test_a_slow_probe_gets_its_time_before_the_fault(tmp_path: Path) -> None:
    slow = replace(DB, every_s=20.0, timeout_s=5.0)
    s = _stage(tmp_path, slow)
    s.prober.silent = lambda endpoint: s.clock.now() < 15
    assert s.experiment.run().outcome == "held"


def test_a_probe_that_stays_silent_after_the_fault_refutes(tmp_path: Path) -> None:
    s = _stage(tmp_path, DB)
    s.prober.silent = lambda endpoint: bool(s.lab.log)
    journal = s.experiment.run()
    assert journal.outcome == "refuted"
    assert journal.verdict
    assert "database (tcp://10.0.0.9:5432): connection refused" in journal.verdict.sentence


def _lost_for(s: Stage, seconds: float) -> None:
    """The places are silent for so long after the fault."""

    def silent(endpoint: Endpoint) -> bool:
        fault = s.experiment.journal.moment("fault")
        return fault is not None and fault + 1 <= s.clock.now() < fault + 1 + seconds

    s.prober.silent = silent


@pytest.mark.parametrize(
    ("tolerance", "text"),
    [
        (Tolerance(success=1.0), "probes succeeded, 100.00% are wanted"),
        (Tolerance(longest_outage_s=3.0), "database: an outage of 5"),
    ],
)
def test_a_probe_that_failed_more_than_it_may_refutes(
    tmp_path: Path, tolerance: Tolerance, text: str
) -> None:
    s = _stage(tmp_path, DB, hypothesis=Hypothesis(60, tolerances={"database": tolerance}))
    _lost_for(s, 5.0)
    journal = s.experiment.run()
    assert journal.outcome == "refuted"
    assert journal.verdict
    assert any("database" in reason and text in reason for reason in journal.verdict.reasons)


def test_a_probe_that_failed_within_its_tolerance_holds(tmp_path: Path) -> None:
    tolerances = {"database": Tolerance(0.5, 8.0)}
    s = _stage(tmp_path, DB, hypothesis=Hypothesis(60, tolerances=tolerances))
    _lost_for(s, 5.0)
    assert s.experiment.run().outcome == "held"


def test_a_share_of_the_wanted_replicas_becomes_a_number_when_the_run_begins(
    tmp_path: Path,
) -> None:
    s = _stage(tmp_path, hypothesis=Hypothesis(60, never_below_share={"web": 0.75, "db": 0}))
    journal = s.experiment.run()
    assert "web never has less than 8; db never has less than 0" in journal.hypothesis
    assert journal.outcome == "refuted"  # three of ten are lost
    assert journal.verdict
    assert any("8 are the least" in reason for reason in journal.verdict.reasons)


def test_a_share_that_is_kept_holds(tmp_path: Path) -> None:
    s = _stage(tmp_path, hypothesis=Hypothesis(60, never_below_share={"web": 0.5}))
    assert s.experiment.run().outcome == "held"


@pytest.mark.parametrize(
    ("hypothesis", "text"),
    [
        (Hypothesis(never_below={"wbe": 1}), "unknown service 'wbe'"),
        (Hypothesis(never_below_share={"wbe": 0.5}), "unknown service 'wbe'"),
        (Hypothesis(never_below={"web": 11}), "web is never to have less than 11 replicas, but"),
    ],
)
def test_a_floor_that_cannot_hold_is_refused_before_the_fault(
    tmp_path: Path, hypothesis: Hypothesis, text: str
) -> None:
    s = _stage(tmp_path, hypothesis=hypothesis)
    with pytest.raises(UsageError, match=text):
        s.experiment.run()
    assert not any(line.startswith(("stop", "pull")) for line in s.lab.log)


def test_half_of_three_is_two() -> None:
    found = Hypothesis(never_below_share={"web": 0.5, "api": 0.3}).resolved({"web": 3, "api": 10})
    assert found.never_below == {"web": 2, "api": 3}
    assert found.never_below_share == {}


def test_the_journal_knows_no_arguments_of_a_command(tmp_path: Path) -> None:
    secret = CustomProbe("script", Command(("curl", "-u", "me:hush-hush")))
    s = _stage(tmp_path, secret)
    journal = s.experiment.run()
    text = (s.runs.directory(journal.id) / "journal.json").read_text()
    assert "command curl" in text
    assert "hush-hush" not in text
