"""The machines of load balancers follow the API."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from swarmctl.lab import load_balancers
from swarmctl.lab.api import Api, Rule, View
from swarmctl.lab.balancer import machine
from swarmctl.lab.balancer.model import LoadBalancer
from swarmctl.lab.balancer.targets import Report
from swarmctl.lab.load_balancers import LoadBalancers

BALANCER = LoadBalancer("lb-1", "app", "10.42.1.9", "vpc-1", ("sg-1",))
EMPTY = View((), {"vpc-1": "10.42.0.0/16"}, {})


class Site:
    """The API and the machines, as the follower sees them; and what it has done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.states, self.done, self.sent = dict[str, str](), list[str](), list[Any]()
        self.heard: Any = None
        self.broken = False
        monkeypatch.setattr(machine, "states", lambda *_: dict(self.states))
        monkeypatch.setattr(machine, "start", self.start)
        monkeypatch.setattr(load_balancers, "remove", lambda *_: self.done.append("remove"))
        monkeypatch.setattr(load_balancers, "set_firewall", lambda *_: self.done.append("filter"))
        nothing = cast(Any, None)
        self.follower = LoadBalancers(
            nothing, "lab", "image", cast(Api, self), threading.Event(), lambda vpc: f"net-{vpc}"
        )

    def start(self, _: object, spec: machine.BalancerSpec, heard: Any) -> Any:
        self.done.append(f"start {spec.id} in {spec.network} at {spec.ip}")
        self.states[spec.id] = "running"
        self.heard = heard
        return self

    def send(self, wanted: Any) -> None:
        if self.broken:
            raise OSError("broken pipe")
        self.sent.append(wanted)

    def serves(self, balancer: str) -> None:
        self.done.append(f"{balancer} serves")

    def report(self, group: str, target: str, report: Report) -> None:
        self.done.append(f"{group} {target} {report.status.state} since {report.since}")

    def release(self, balancer: str) -> None:
        self.done.append(f"release {balancer}")

    def after(self, view: View) -> list[str]:
        """What a pass does."""
        self.done = []
        with ThreadPoolExecutor(1) as pool:
            self.follower._pass(view, pool)
        return self.done


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(monkeypatch)


ONE = replace(EMPTY, balancers=(BALANCER,))


def test_a_new_load_balancer_gets_a_machine_and_is_told_what_is_wanted(site: Site) -> None:
    assert site.after(ONE) == ["start lb-1 in net-vpc-1 at 10.42.1.9"]
    assert site.after(ONE) == []
    assert site.sent[-1]["groups"] == {}
    assert "frontend" not in site.sent[-1]["config"]


def test_a_machine_that_has_ended_is_replaced_but_not_time_and_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.after(ONE)
    site.states["lb-1"], site.broken = "exited", True
    assert site.after(ONE) == []
    monkeypatch.setattr(load_balancers, "AGAIN", 0.0)
    assert site.after(ONE) == ["start lb-1 in net-vpc-1 at 10.42.1.9"]


def test_a_machine_whose_start_failed_in_any_way_is_started_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: it counts as being worked on for as long as the lab is up."""
    monkeypatch.setattr(load_balancers, "AGAIN", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(site.follower, "_network", dict[str, str]().__getitem__)
        assert site.after(ONE) == []
    assert site.after(ONE) == ["start lb-1 in net-vpc-1 at 10.42.1.9"]


def test_a_machine_that_reads_nothing_is_replaced(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: the line is of no use, and the load balancer follows nothing any more."""
    site.after(ONE)
    site.broken = True
    monkeypatch.setattr(load_balancers, "AGAIN", 0.0)
    assert site.after(ONE) == ["start lb-1 in net-vpc-1 at 10.42.1.9"]


def test_the_line_to_a_machine_that_reads_nothing_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: one paused machine stops all load balancers of the lab."""
    here, there = socket.socketpair()
    stream = SimpleNamespace(_sock=here, read=here.recv)
    client: Any = SimpleNamespace(api=SimpleNamespace(attach_socket=lambda *_, **_options: stream))
    monkeypatch.setattr(machine, "SEND_TIMEOUT", 1)
    with here, there:
        line = machine.Line(client, "container", lambda _: None)
        with pytest.raises(BlockingIOError):
            line.send({"config": "x" * (8 << 20)})
        there.shutdown(socket.SHUT_RDWR)


def test_changed_security_groups_are_sent(site: Site) -> None:
    site.after(ONE)
    assert site.after(replace(ONE, balancers=(replace(BALANCER, groups=()),))) == []
    rules: dict[str, tuple[Rule, ...]] = {"sg-1": (Rule("tcp", 80, 80, cidr="0.0.0.0/0"),)}
    assert site.after(replace(ONE, rules=rules)) == ["filter"]
    assert site.after(replace(ONE, rules=rules)) == []


def test_a_deleted_load_balancer_loses_its_machine_and_then_its_address(site: Site) -> None:
    site.after(ONE)
    assert site.after(replace(EMPTY, departed=("lb-1",))) == ["remove", "release lb-1"]


def test_a_machine_that_no_load_balancer_has_is_removed(site: Site) -> None:
    site.after(ONE)
    assert site.after(replace(ONE, vpcs={})) == ["remove", "release lb-1"]  # its network went


def test_reports_reach_the_api(site: Site) -> None:
    site.after(ONE)
    site.heard({"serving": True})
    status = {"state": "unhealthy", "reason": "Target.Timeout", "description": "Request timed out"}
    site.heard({"group": "web", "target": "i-1:80", "registered": 5.0} | status)
    site.heard({"error": "HAProxy refused the configuration"})
    assert site.done[-2:] == ["lb-1 serves", "web i-1:80 unhealthy since 5.0"]


def test_a_pass_that_fails_does_not_end_the_loop(site: Site) -> None:
    """Broken: the thread ends, and no load balancer follows the API any more."""
    passes = []

    def view() -> View:
        passes.append(1)
        if len(passes) > 1:
            site.follower.finish()
        raise ValueError("no number")

    site.view = view  # type: ignore[attr-defined]
    site.follower.run()
    assert len(passes) == 2


def test_the_end_waits_for_a_machine_that_starts(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: `lab down` does not see the container, which stays, and with it its network."""
    started, go_on = threading.Event(), threading.Event()

    def start(*arguments: Any) -> Any:
        started.set()
        assert go_on.wait(60)
        return Site.start(site, *arguments)

    monkeypatch.setattr(machine, "start", start)
    site.view = lambda: ONE  # type: ignore[attr-defined]
    following = threading.Thread(target=site.follower.run, daemon=True)
    following.start()
    assert started.wait(60)
    site.follower.finish()
    following.join(0.2)
    assert following.is_alive()
    go_on.set()
    following.join(60)
    assert not following.is_alive()
    assert site.done[-1].startswith("start lb-1")
