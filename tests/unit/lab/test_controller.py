"""What the controller does about a difference between the API and the machines."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from swarmctl.errors import SwarmctlError
from swarmctl.lab import machine, network
from swarmctl.lab.api import Api, Ec2Instance, View
from swarmctl.lab.controller import Controller, next_step
from swarmctl.lab.image.ensure import Images
from swarmctl.lab.vpc_services import VpcServices


def instance(state: str, *, reboot: bool = False, launched: bool = True) -> Ec2Instance:
    machine = Ec2Instance("i-1", "wkr1", state, "ami-1", "10.42.1.4", "vpc-1", ())
    return replace(machine, reboot_requested=reboot, launched=launched)


@pytest.mark.parametrize(
    ("state", "container", "step"),
    [
        ("pending", "exited", "boot"),
        ("pending", "paused", "boot"),
        ("pending", None, "lost"),
        ("running", "running", ""),
        ("running", "exited", "ended"),
        ("running", None, "lost"),
        ("running", "paused", ""),
        ("stopping", "running", "stop"),
        ("stopping", "exited", "stop"),
        ("stopping", "paused", "stop"),
        ("stopping", None, "stop"),
        ("stopped", "exited", ""),
        ("stopped", None, "lost"),
        ("shutting-down", "running", "remove"),
        ("shutting-down", None, "remove"),
        ("terminated", None, ""),
    ],
)
def test_each_difference_has_one_next_step(state: str, container: str | None, step: str) -> None:
    assert next_step(instance(state), container) == step


def test_a_machine_that_has_never_run_cannot_be_lost() -> None:
    assert next_step(instance("pending", launched=False), None) == "boot"
    assert next_step(instance("stopped", launched=False), None) == ""


def test_only_a_running_machine_is_rebooted() -> None:
    assert next_step(instance("running", reboot=True), "running") == "reboot"
    assert next_step(instance("running", reboot=True), "exited") == "ended"


class Site:
    """One instance, its container, and what was done to both."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, found: Ec2Instance) -> None:
        self.instance, self.moves, self.done = found, list[tuple[str, str]](), list[str]()
        self.containers = {found.id: "exited"}
        monkeypatch.setattr(machine, "states", lambda *_: self.containers)
        monkeypatch.setattr(machine, "start", self.start)
        monkeypatch.setattr(machine, "stop", self.stop)
        monkeypatch.setattr(network, "remove_unused", lambda *_: None)
        nothing = cast(Any, None)
        images = cast(Images, SimpleNamespace(node="", node_bare="", load_balancer=""))
        api, services = (
            cast(Api, self),
            cast(VpcServices, SimpleNamespace(close_unused=lambda vpcs: None, rules=lambda *_: "")),
        )
        self.controller = Controller(nothing, "lab", images, api, threading.Event(), services)

        self.fault: Exception = SwarmctlError("the machine did not boot: no such thing", "console")
        self.stop_fault: Exception | None = None

    def start(self, *_: object) -> None:
        raise self.fault

    def stop(self, *_: object, force: bool) -> None:
        self.done.append(f"stop, force={force}")
        if self.stop_fault:
            raise self.stop_fault

    def view(self) -> View:
        return View((self.instance,), {"vpc-1": "10.42.0.0/16"}, {})

    def move(self, _: str, state: str, *, was: str, reason: str = "") -> None:
        self.moves.append((f"{was} → {state}", reason))

    def run_a_pass(self) -> None:
        with ThreadPoolExecutor(1) as pool:
            self.controller._pass(pool)


@pytest.mark.parametrize(("launched", "ends"), [(False, "terminated"), (True, "stopped")])
def test_a_machine_that_does_not_boot_is_given_up_with_the_reason(
    launched: bool, ends: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(monkeypatch, instance("pending", launched=launched))
    site.run_a_pass()
    why = "Server.InternalError: the machine did not boot: no such thing"
    assert site.moves == [(f"pending → {ends}", why)]
    assert site.done == ["stop, force=True"]  # or it would keep its address and its memory


def test_a_machine_that_does_not_come_back_from_a_reboot_is_stopped_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Broken: it is rebooted again and again, and the API calls it running."""
    site = Site(monkeypatch, instance("running", reboot=True))
    site.containers["i-1"] = "running"
    site.run_a_pass()
    why = "Server.InternalError: the machine did not boot: no such thing"
    assert site.moves == [("running → stopped", why)]
    assert site.done == ["stop, force=False", "stop, force=True"]


def test_a_removed_machine_is_terminated_and_the_reason_says_who_did_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = Site(monkeypatch, instance("running"))
    site.containers = {}
    site.run_a_pass()
    ((move, why),) = site.moves
    assert move == "running → terminated"
    assert "removed, but not through this API" in why


def test_a_paused_machine_is_left_running(monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(monkeypatch, instance("running"))
    site.containers["i-1"] = "paused"
    site.run_a_pass()
    assert (site.moves, site.done) == ([], [])


@pytest.mark.parametrize("fault", [OSError("the Engine hung up"), KeyError("vpc-1")])
def test_a_machine_whose_stop_failed_in_any_way_is_stopped_again(
    fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: it counts as being worked on, and stays `stopping` as long as the lab is up."""
    site = Site(monkeypatch, instance("stopping"))
    site.stop_fault = fault
    site.run_a_pass()
    assert site.moves == []
    site.stop_fault = None
    site.run_a_pass()
    assert site.moves == [("stopping → stopped", "User initiated")]


def test_a_machine_whose_boot_failed_in_any_way_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    site = Site(monkeypatch, instance("pending"))
    site.fault = site.stop_fault = OSError("the Engine hung up")
    site.run_a_pass()
    assert site.moves == [("pending → stopped", "Server.InternalError: the Engine hung up")]


class Silent:
    """An Engine that never says that a command has ended, and the output of that command."""

    def __init__(self) -> None:
        self.api, self._closed = self, threading.Event()

    def exec_create(self, *_: object, **__: object) -> dict[str, str]:
        return {"Id": "exec-1"}

    def exec_start(self, _: str, *, stream: bool) -> Silent:
        return self

    def exec_inspect(self, _: str) -> dict[str, None]:
        return {"ExitCode": None}

    def __iter__(self) -> Iterator[bytes]:
        yield b"part"
        assert self._closed.wait(20)

    def close(self) -> None:
        self._closed.set()


def test_a_command_of_which_the_engine_says_nothing_is_not_waited_for_for_ever() -> None:
    """Broken: the machine stays `pending`, and no request to stop it is carried out."""
    container = cast(Any, SimpleNamespace(id="c-1"))
    with pytest.raises(SwarmctlError, match="has not ended within 0 s"):
        machine.run_inside(cast(Any, Silent()), container, ["nft"], 0.1)


def test_a_pass_that_fails_does_not_end_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: one value that the API should not have accepted ends the lab."""
    site, passes = Site(monkeypatch, instance("running")), []

    def view() -> View:
        passes.append(1)
        if len(passes) > 1:
            site.controller.finish()
        raise ValueError("no number")

    monkeypatch.setattr(site, "view", view)
    site.controller.run()
    assert len(passes) == 2


def test_the_network_of_a_vpc_that_is_new_is_not_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: a VPC made during a pass loses the network that its load balancer has just got."""
    site, kept = Site(monkeypatch, instance("terminated")), []
    monkeypatch.setattr(network, "remove_unused", lambda _client, _lab, vpcs: kept.append(vpcs))
    vpcs = {"vpc-1": "10.42.0.0/16"}
    monkeypatch.setattr(site, "view", lambda: View((site.instance,), dict(vpcs), {}))

    def states(*_: object) -> dict[str, str]:
        vpcs["vpc-2"] = "10.43.0.0/16"
        return {}

    monkeypatch.setattr(machine, "states", states)
    site.run_a_pass()
    assert kept == [{"vpc-1", "vpc-2"}]
