"""Each step of a rollback: what it compares, what it sends, and how long it waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from swarmctl.errors import DeadlineExceededError
from swarmctl.stack.deploy.converge import Convergence, NotConvergedError
from swarmctl.stack.deploy.current import CurrentStack, read_current
from swarmctl.stack.deploy.rollback import (
    RollbackPlan,
    plan_rollback,
    remove_objects,
    revert_service,
    roll_back,
)
from swarmctl.swarm.engine import Json
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.ssh import ManagerError
from swarmctl.wait import Clock
from tests.unit.engine_fake import FakeEngine, object_spec, service_spec

START = 1000.0
OLD, BAD = service_spec("web"), service_spec("web", image="bad:1")


@dataclass
class Slow(FakeEngine):
    """Time passes only in pauses; until ``recovers`` no task runs, until ``ends`` one is left."""

    recovers: float = 0.0
    ends: float = 0.0
    now: float = START
    pauses: list[float] = field(default_factory=list)
    updates: list[tuple[Json, Mapping[str, str]]] = field(default_factory=list)
    removed: str = ""

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now, self.pause)

    def send(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        if path.endswith("/update"):
            self.updates.append((body, dict(options.get("params") or {})))
        if method == "DELETE" and path.startswith("/services/"):
            self.removed = path.rpartition("/")[2]
        return super().send(method, path, body, **options)

    def snapshot(self) -> Swarm:
        swarm = super().snapshot()
        if self.now < START + self.recovers:
            return replace(swarm, tasks=())
        if self.removed and self.now < START + self.ends:
            one = replace(swarm.tasks[0], service_id=self.removed, container_id="c1")
            return replace(swarm, tasks=(*swarm.tasks, one))
        return swarm


def failed_deploy(fake: Slow, *new: str) -> CurrentStack:
    """A stack with one service, which a deploy has made bad; the state before."""
    fake.add("services", OLD)
    before = read_current(fake, "shop")
    for name in new:
        fake.add("services", service_spec(name))
    web = fake.named("services", "shop_web")
    web["Spec"], web["PreviousSpec"] = BAD, web["Spec"]
    return before


def test_the_plan_says_what_will_be_done_to_each_object() -> None:
    plan = RollbackPlan(
        revert=("shop_web",),
        recreate=("shop_api",),
        remove=("shop_new", "shop_more"),
        objects={"configs": {"conf": "c1"}, "secrets": {"key": "s1"}, "networks": {"in": "n1"}},
    )
    assert plan.lines() == [
        "shop_web: back to the previous version",
        "shop_api: back to the previous version",
        "shop_new: removed, it did not exist before",
        "shop_more: removed, it did not exist before",
        "config conf: removed",
        "secret key: removed",
        "network in: removed",
    ]


@pytest.mark.parametrize(
    ("ids", "revert"),
    [
        ({"n2": "inside"}, ()),  # the same network, made anew
        ({"n2": "outside"}, ("shop_web",)),
    ],
)
def test_networks_are_compared_by_name_and_not_by_id(
    ids: dict[str, str], revert: tuple[str, ...]
) -> None:
    def stack(network: str, names: dict[str, str]) -> CurrentStack:
        spec = service_spec("web", networks=[{"Target": network}])
        return CurrentStack("shop", {"shop_web": {"Spec": spec}}, network_names=names)

    assert plan_rollback(stack("n1", {"n1": "inside"}), stack("n2", ids)).revert == revert


def test_only_objects_that_did_not_exist_before_are_removed() -> None:
    kept, new = {"kept": {"ID": "1"}}, {"kept": {"ID": "1"}, "new": {"ID": "2"}}
    before = CurrentStack("shop", configs=kept, secrets=kept)
    now = CurrentStack("shop", configs=new, secrets=new, networks={"inside": {"Id": "3"}})
    assert plan_rollback(before, now).objects == {
        "configs": {"new": "2"},
        "secrets": {"new": "2"},
        "networks": {"inside": "3"},
    }


# --- what is sent ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("previous", "body", "params"),
    [
        # Swarm has the old version still: it rolls back, with the credentials of then.
        (OLD, BAD, {"rollback": "previous"}),
        # It has another: the old one is sent, and the credentials of the previous spec are kept.
        (service_spec("web", image="httpd:1"), OLD, {"registryAuthFrom": "previous-spec"}),
        (None, OLD, {}),
    ],
)
def test_a_service_gets_its_old_version_from_swarm_or_from_us(
    previous: Json | None, body: Json, params: dict[str, str]
) -> None:
    fake = Slow()
    fake.add("services", OLD)
    before = fake.get("/services/services-1")
    web = fake.named("services", "shop_web")
    web["Spec"] = BAD
    if previous:
        web["PreviousSpec"] = previous
    revert_service(fake, before, fake.get("/services/services-1"))
    assert fake.updates == [(body, {"version": "1", **params})]
    assert fake.named("services", "shop_web")["Spec"] == OLD


# --- how long it waits ----------------------------------------------------------------------------


def test_the_old_version_may_take_as_long_as_the_deadline_allows_and_must_keep_running() -> None:
    fake, seen = Slow(recovers=20), list[list[Convergence]]()
    before = failed_deploy(fake)
    plan = roll_back(
        fake,
        before,
        timeout=30,
        settle=4,
        progress=lambda services: seen.append(list(services)),
        clock=fake.clock,
    )
    assert plan.revert == ("shop_web",)
    assert fake.now == START + 24
    assert [services[0].ready for services in (seen[0], seen[-1])] == [0, 2]


def test_an_old_version_that_does_not_come_back_is_given_up_at_the_deadline() -> None:
    fake = Slow(recovers=1e9)
    with pytest.raises(NotConvergedError):
        roll_back(fake, failed_deploy(fake), timeout=30, clock=fake.clock)
    assert fake.now == START + 30


def test_the_failed_update_that_is_rolled_back_does_not_fail_the_rollback() -> None:
    """The service says so until its next update, and only the old version's tasks matter."""

    class RolledBack(Slow):
        def snapshot(self) -> Swarm:
            swarm = super().snapshot()
            return replace(
                swarm,
                services=tuple(
                    replace(s, update_state="rollback_completed", update_started_at=self.time)
                    for s in swarm.services
                ),
            )

    fake = RolledBack()
    roll_back(fake, failed_deploy(fake), timeout=30, settle=0, clock=fake.clock)


def test_the_end_of_new_services_is_waited_for() -> None:
    fake = Slow(ends=6)
    before = failed_deploy(fake, "new")
    roll_back(fake, before, timeout=30, settle=0, clock=fake.clock)
    assert START + 6 <= fake.now < START + 7
    assert fake.names("services") == ["shop_web"]


def test_a_new_service_that_does_not_end_is_named_at_the_deadline() -> None:
    fake = Slow(ends=1e9)
    before = failed_deploy(fake, "new")
    said = "waited 30 s for the new services to end; last seen: 1 left: shop_new on wkr1"
    with pytest.raises(DeadlineExceededError, match=f"^{said}$"):
        roll_back(fake, before, timeout=30, settle=0, clock=fake.clock)


def test_new_objects_are_tried_for_a_second_even_if_no_time_is_left() -> None:
    fake = Slow(recovers=30)
    before = failed_deploy(fake)
    fake.add("configs", object_spec("conf"))
    fake.refuse["DELETE /configs"] = "in use by web"
    said = (
        "waited 1 s for networks, secrets and configs to be free; "
        "last seen: config conf: in use by web"
    )
    with pytest.raises(DeadlineExceededError, match=f"^{said}$"):
        roll_back(fake, before, timeout=30, settle=0, clock=fake.clock)
    assert fake.now == START + 31


def test_objects_in_use_are_tried_again_twice_a_second_and_named_at_the_deadline() -> None:
    class Busy(Slow):
        def send(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
            if "secrets" in path and self.now < START + 2:
                raise ManagerError("no manager answers")
            return super().send(method, path, body, **options)

    fake = Busy()
    fake.add("configs", object_spec("conf"))
    fake.add("networks", {"Name": "inside", "Labels": {}})
    fake.store["secrets"]["s1"] = {"ID": "s1", "Spec": object_spec("key")}
    kinds = {"configs": "conf", "networks": "inside", "secrets": "key"}
    objects = {kind: {name: next(iter(fake.store[kind]))} for kind, name in kinds.items()}
    fake.refuse = {"DELETE /configs": "in use by a", "DELETE /networks": "in use by b"}
    reasons = "config conf: in use by a; network inside: in use by b; no manager answers"
    with pytest.raises(DeadlineExceededError, match=f"{reasons}$"):
        remove_objects(fake, objects, 1, fake.clock)
    assert fake.pauses == [0.5, 0.5]
    fake.refuse.clear()
    remove_objects(fake, objects, 5, fake.clock)
    assert fake.pauses == [0.5] * 4
    assert [fake.names(kind) for kind in kinds] == [[], [], []]
