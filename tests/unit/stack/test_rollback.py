"""A deploy that fails ends with the old version, whatever it had done by then."""

from __future__ import annotations

import socket

import pytest

from swarmctl.cloud.rules import Rule
from swarmctl.errors import Exit, SwarmctlError
from swarmctl.network.access import access_by
from swarmctl.network.ports import PortHealth, ProbeAddress, ProbeAnswer
from swarmctl.stack.deploy import deploy, proof
from swarmctl.stack.deploy.apply import apply
from swarmctl.stack.deploy.current import read_current
from swarmctl.stack.deploy.deploy import DeployOptions, DeployProgress, carry_out, make_secrets
from swarmctl.stack.deploy.desired import DesiredStack
from swarmctl.stack.deploy.evidence import demultiplexed
from swarmctl.stack.deploy.failure import NotDeployedError, NotRolledBackError, StackBefore
from swarmctl.stack.deploy.images import no_credentials
from swarmctl.stack.deploy.interrupts import Interrupts
from swarmctl.stack.deploy.plan import DeployPlan, plan_changes
from swarmctl.stack.deploy.remove import leftovers, remove
from swarmctl.stack.deploy.rollback import plan_rollback, roll_back
from swarmctl.wait import Clock
from tests.unit.engine_fake import FakeEngine, object_spec, service_spec

NO_WAIT = DeployOptions(wait=0.01, settle=0)
SIGNALS = Interrupts("shop")
NO_PAUSE = Clock(pause=lambda _: None)


def deployed(*names: str) -> FakeEngine:
    fake = FakeEngine()
    for name in names:
        fake.add("services", service_spec(name))
    return fake


def wanted(*specs: dict[str, object], configs: tuple[str, ...] = ()) -> DesiredStack:
    return DesiredStack(
        "shop",
        services={str(spec["Name"]): spec for spec in specs},
        configs={name: object_spec(name) for name in configs},
    )


def planned(fake: FakeEngine, what: DesiredStack) -> DeployPlan:
    return plan_changes(what, read_current(fake, "shop"))


def run(fake: FakeEngine, what: DesiredStack, options: DeployOptions = NO_WAIT) -> list[str]:
    notes: list[str] = []
    before = StackBefore.read(fake, "shop", {})
    carry_out(fake, planned(fake, what), before, options, DeployProgress(notes.append), SIGNALS)
    return notes


def image(fake: FakeEngine, name: str) -> str:
    container = fake.named("services", name)["Spec"]["TaskTemplate"]["ContainerSpec"]
    return str(container["Image"])


BAD = service_spec("web", image="bad:1")


def test_a_version_that_does_not_run_is_rolled_back_with_all_its_objects() -> None:
    fake = deployed("web")
    with pytest.raises(NotDeployedError) as caught:
        run(fake, wanted(BAD, service_spec("new"), configs=("conf",)))
    assert image(fake, "shop_web") == "httpd:2.4"
    assert fake.names("services") == ["shop_web"]
    assert fake.names("configs") == []
    assert caught.value.exit_code == Exit.FAILED
    assert "shop_web 2/2 on live nodes" in caught.value.message


def test_the_reason_and_the_end_of_the_tasks_logs_are_reported() -> None:
    fake, notes = deployed("web"), list[str]()
    before = StackBefore.read(fake, "shop", {})
    with pytest.raises(NotDeployedError):
        carry_out(
            fake, planned(fake, wanted(BAD)), before, NO_WAIT, DeployProgress(notes.append), SIGNALS
        )
    said = "\n".join(notes)
    assert "a task on wkr1 is rejected (2 times): No such image: bad" in said
    assert "| last words of /tasks/" in said


def test_without_rollback_everything_stays_and_the_message_says_so() -> None:
    fake = deployed("web")
    with pytest.raises(NotDeployedError, match="not rolled back") as caught:
        run(fake, wanted(BAD), DeployOptions(wait=0.01, settle=0, rollback=False))
    assert image(fake, "shop_web") == "bad:1"
    assert "No such image" in caught.value.message


def test_a_refused_request_rolls_back_the_requests_before_it() -> None:
    fake = deployed("web")
    fake.refuse["POST /services/create"] = "port '80' is already in use"
    with pytest.raises(NotDeployedError, match="shop_new was refused: port '80'"):
        run(fake, wanted(service_spec("web", image="httpd:2.6"), service_spec("new")))
    assert image(fake, "shop_web") == "httpd:2.4"


def test_a_deploy_refused_at_once_reports_that_nothing_was_changed() -> None:
    fake = deployed("web")
    fake.refuse["POST /services/services-1/update"] = "invalid mount"
    with pytest.raises(NotDeployedError, match="nothing had been changed"):
        run(fake, wanted(service_spec("web", image="httpd:2.6")))


def test_an_interrupted_deploy_is_rolled_back_and_exits_130() -> None:
    fake = deployed("web")

    def interrupt(_: object) -> None:
        if image(fake, "shop_web") == "httpd:2.6":
            raise KeyboardInterrupt

    before = StackBefore.read(fake, "shop", {})
    todo = planned(fake, wanted(service_spec("web", image="httpd:2.6")))
    with pytest.raises(NotDeployedError) as caught:
        carry_out(
            fake,
            todo,
            before,
            DeployOptions(wait=5, settle=0),
            DeployProgress(lambda _: None, interrupt),
            SIGNALS,
        )
    assert caught.value.exit_code == Exit.INTERRUPTED
    assert image(fake, "shop_web") == "httpd:2.4"
    assert "interrupted" in caught.value.message


def test_a_version_that_runs_but_does_not_answer_is_rolled_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its tasks are healthy: only a request shows that nothing answers."""
    monkeypatch.setattr(deploy, "PROOF_TIMEOUT", 0.0)
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    ports = [{"TargetPort": 80, "PublishedPort": port, "PublishMode": "ingress"}]
    fake = deployed("web")
    here = dict.fromkeys(("mgr1", "wkr1"), "127.0.0.1")
    before = StackBefore.read(fake, "shop", here)
    changed = service_spec("web", image="httpd:2.6", EndpointSpec={"Ports": ports})
    reachable = access_by({node: [Rule("all", -1, -1, "0.0.0.0/0")] for node in here})
    progress = DeployProgress(lambda _: None)
    with pytest.raises(NotDeployedError, match=f"127.0.0.1:{port}/ → no answer") as caught:
        carry_out(
            fake, planned(fake, wanted(changed)), before, NO_WAIT, progress, SIGNALS,
            lambda: reachable,
        )  # fmt: skip
    assert "swarmctl.probe.path" in caught.value.hint
    assert image(fake, "shop_web") == "httpd:2.4"


def test_an_old_version_that_does_not_come_back_exits_4() -> None:
    fake = deployed("web")
    fake.refuse["POST /services/services-1/update"] = "no leader"
    before = StackBefore.read(fake, "shop", {})
    todo = planned(fake, wanted(BAD))
    fake.refuse.clear()
    apply(todo, before.current, fake, no_credentials)
    fake.refuse["POST /services/services-1/update"] = "no leader"
    with pytest.raises(NotRolledBackError) as caught:
        carry_out(
            fake, DeployPlan("shop"), before, NO_WAIT, DeployProgress(lambda _: None), SIGNALS
        )
    assert caught.value.exit_code == Exit.REVERT_FAILED
    assert "shop_web had 2 tasks serving, now 0" in caught.value.message


def test_a_service_that_swarm_has_rolled_back_is_not_changed() -> None:
    fake = deployed("web")
    before = read_current(fake, "shop")
    fake.named("services", "shop_web")["Version"] = {"Index": 9}
    fake.sent.clear()
    assert roll_back(fake, before, timeout=5, settle=0, clock=NO_PAUSE).lines() == []
    assert fake.sent == []


def test_swarm_rolls_a_service_back_if_it_still_has_the_old_spec() -> None:
    fake = deployed("web")
    before = read_current(fake, "shop")
    apply(planned(fake, wanted(BAD)), before, fake, no_credentials)
    second = planned(fake, wanted(service_spec("web", image="bad:2")))
    apply(second, read_current(fake, "shop"), fake, no_credentials)
    roll_back(fake, before, timeout=5, settle=0, clock=NO_PAUSE)
    assert image(fake, "shop_web") == "httpd:2.4"


def test_a_service_that_is_gone_is_created_again() -> None:
    fake = deployed("web", "api")
    before = read_current(fake, "shop")
    fake.send("DELETE", f"/services/{fake.named('services', 'shop_api')['ID']}")
    assert plan_rollback(before, read_current(fake, "shop")).recreate == ("shop_api",)
    roll_back(fake, before, timeout=5, settle=0, clock=NO_PAUSE)
    assert fake.names("services") == ["shop_api", "shop_web"]


def test_other_stacks_are_never_touched() -> None:
    fake = deployed("web")
    before = read_current(fake, "shop")
    fake.add("services", service_spec("web", stack="other"))
    fake.add("configs", object_spec("theirs", stack="other"))
    assert plan_rollback(before, read_current(fake, "shop")).lines() == []


def test_a_secret_that_exists_keeps_its_value() -> None:
    fake = FakeEngine()
    assert make_secrets(fake, ["key"]) == ["key"]
    assert make_secrets(fake, ["key"]) == []
    assert fake.names("secrets") == ["key"]


# --- proof and evidence ---------------------------------------------------------------------------


OK, NO_ANSWER = ProbeAnswer(200), ProbeAnswer()


def health(ready: int = 2, answer: ProbeAnswer = OK) -> dict[str, proof.ServiceHealth]:
    address = ProbeAddress("wkr1", "10.0.0.1", 80, 80, "/")
    return {"web": proof.ServiceHealth("web", ready, 2, (PortHealth("web", address, answer),))}


@pytest.mark.parametrize(
    ("after", "lost"),
    [
        (health(), False),
        (health(ready=1), True),
        (health(answer=ProbeAnswer(503)), True),
        (health(answer=NO_ANSWER), True),
        ({}, True),
    ],
)
def test_a_port_that_answered_before_must_answer_after(
    after: dict[str, proof.ServiceHealth], lost: bool
) -> None:
    assert bool(proof.regressions(health(), after)) is lost


def test_a_port_that_could_not_be_reached_before_is_not_compared() -> None:
    before = health(answer=NO_ANSWER)
    assert proof.regressions(before, health(answer=NO_ANSWER)) == []


def test_log_streams_are_read_with_and_without_frames() -> None:
    frames = b"\x01\0\0\0\0\0\0\x03one\x02\0\0\0\0\0\0\x04two\n"
    assert demultiplexed(frames) == b"onetwo\n"
    assert demultiplexed(b"plain text of a terminal\n") == b"plain text of a terminal\n"
    assert demultiplexed(b"") == b""


def test_every_address_of_a_service_is_probed_and_the_best_answer_counts() -> None:
    fake = FakeEngine()
    ports = [{"TargetPort": 80, "PublishedPort": 8080, "Protocol": "tcp", "PublishMode": "ingress"}]
    fake.add("services", service_spec("web", EndpointSpec={"Ports": ports}))
    answers = {"10.0.0.1": NO_ANSWER, "10.0.0.2": ProbeAnswer(204)}
    found = proof.health_of_stack(
        fake.snapshot(),
        "shop",
        {"mgr1": "10.0.0.1", "wkr1": "10.0.0.2"},
        lambda address: answers[address.host],
    )
    assert str(found["shop_web"]) == "shop_web 2/2 on live nodes, 10.0.0.2:8080/ → HTTP 204"


# --- rm and prune ---------------------------------------------------------------------------------


def test_rm_removes_the_objects_of_the_stack_only() -> None:
    fake = deployed("web")
    fake.add("networks", {"Name": "shop_inside", "Labels": object_spec("x")["Labels"]})
    fake.add("configs", object_spec("conf"))
    fake.add("secrets", object_spec("theirs", stack="other"))
    remove(fake, read_current(fake, "shop"), timeout=5, clock=NO_PAUSE)
    assert read_current(fake, "shop").empty
    assert fake.names("secrets") == ["theirs"]


def test_rm_reports_at_the_deadline_what_still_uses_a_network() -> None:
    fake = FakeEngine(refuse={"DELETE /networks": "network is in use by task abc"})
    fake.add("networks", {"Name": "shop_inside", "Labels": object_spec("x")["Labels"]})
    with pytest.raises(SwarmctlError, match="shop_inside: network is in use by task abc"):
        remove(fake, read_current(fake, "shop"), timeout=0, clock=NO_PAUSE)


def test_prune_keeps_configs_that_a_service_or_its_previous_version_uses() -> None:
    fake = FakeEngine()
    ids = {name: fake.add("configs", object_spec(name)) for name in ("now", "before", "old")}

    def using(name: str) -> dict[str, object]:
        reference = {"ConfigID": ids[name], "ConfigName": name}
        return service_spec("web", container={"Configs": [reference]})

    fake.add("services", using("before"))
    there = fake.named("services", "shop_web")
    there["PreviousSpec"], there["Spec"] = there["Spec"], using("now")
    current = read_current(fake, "shop")
    assert leftovers(fake, current) == {"configs": {"old": ids["old"]}, "secrets": {}}
    both = leftovers(fake, current, keep_previous=False)
    assert list(both["configs"]) == ["before", "old"]
