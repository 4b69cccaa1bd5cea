"""A deploy has succeeded only when its published ports answer."""

from __future__ import annotations

import pytest

from swarmctl.cloud.rules import LOAD_BALANCER, Rule
from swarmctl.cluster import Target
from swarmctl.errors import RefusedError
from swarmctl.network.access import Access, AccessTo, access_by, no_rules
from swarmctl.network.kernels import Kernels
from swarmctl.network.nodes import ClusterNodes
from swarmctl.network.ports import PortHealth, ProbeAddress, ProbeAnswer, ask_ports
from swarmctl.stack.deploy.proof import NoAnswerError, ServiceHealth, answering, wait_for_answers
from swarmctl.wait import Clock
from tests.unit.engine_fake import FakeEngine, service_spec

OK, NO_ANSWER = ProbeAnswer(200), ProbeAnswer()
ME = "198.51.100.7/32"


def rules(*published: Rule) -> AccessTo:
    return access_by({"wkr1": (Rule("tcp", 22, 22, ME), *published)})


OPEN = rules(Rule("tcp", 8080, 8080, "198.51.0.0/16"))
OTHERS = rules(Rule("tcp", 8080, 8080, "203.0.113.0/24"))


def serving(answer: ProbeAnswer) -> dict[str, ServiceHealth]:
    port = PortHealth("web", ProbeAddress("wkr1", "10.0.0.1", 80, 8080, "/"), answer)
    return {"web": ServiceHealth("web", 2, 2, (port,))}


def proven(after: ProbeAnswer, access: AccessTo, before: ProbeAnswer | None = None) -> list[str]:
    old = {} if before is None else serving(before)
    clock = Clock(now=iter(range(100)).__next__, pause=lambda _: None)
    return wait_for_answers(lambda: serving(after), old, lambda: access, 5, clock)


@pytest.mark.parametrize("answer", [OK, ProbeAnswer(404), ProbeAnswer(open=True)])
def test_an_answer_proves_that_a_port_serves(answer: ProbeAnswer) -> None:
    assert proven(answer, OPEN) == []


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        (OK, ["web answers at http://10.0.0.1:8080/"]),
        (ProbeAnswer(open=True), ["web answers at 10.0.0.1:8080/"]),
        (NO_ANSWER, []),
        (ProbeAnswer(503), []),
    ],
)
def test_the_addresses_that_answer_are_told(answer: ProbeAnswer, lines: list[str]) -> None:
    assert answering(serving(answer)) == lines


@pytest.mark.parametrize(
    ("after", "access", "before"),
    [
        (NO_ANSWER, OPEN, None),
        (NO_ANSWER, OPEN, NO_ANSWER),
        (NO_ANSWER, no_rules, OK),  # it answered before
        (NO_ANSWER, rules(), OK),
        (ProbeAnswer(503), OPEN, None),
        (ProbeAnswer(503), OPEN, OK),
        (ProbeAnswer(503), no_rules, NO_ANSWER),
    ],
)
def test_a_port_that_must_answer_and_does_not_fails_the_deploy(
    after: ProbeAnswer, access: AccessTo, before: ProbeAnswer | None
) -> None:
    with pytest.raises(NoAnswerError, match=r"web: 10.0.0.1:8080/ → ") as caught:
        proven(after, access, before)
    assert "swarmctl.probe.path" in caught.value.hint
    assert "swarmctl.probe=tcp" in caught.value.hint


def test_a_port_that_the_security_groups_close_is_a_warning_with_the_variable_to_change() -> None:
    (said,) = proven(NO_ANSWER, rules())
    assert "the security groups close the published port 8080/tcp: add 8080 to published_ports" in (
        said
    )


@pytest.mark.parametrize("access", [OTHERS, no_rules])
def test_a_port_that_only_others_may_reach_is_a_warning(access: AccessTo) -> None:
    (said,) = proven(NO_ANSWER, access)
    assert "10.0.0.1:8080/ does not answer from here, so it is not proven to serve" in said


def test_a_server_error_that_was_there_before_is_a_warning() -> None:
    assert proven(ProbeAnswer(503), OPEN, ProbeAnswer(503)) == [
        "warning: web: 10.0.0.1:8080/ → HTTP 503, as before"
    ]


def test_silent_managers_prove_nothing() -> None:
    clock = Clock(now=iter(range(100)).__next__, pause=lambda _: None)
    with pytest.raises(NoAnswerError, match="no manager answers"):
        wait_for_answers(dict, {}, lambda: OPEN, 5, clock)


def test_every_published_port_of_a_service_is_asked() -> None:
    fake = FakeEngine()
    ports = [
        {"TargetPort": target, "PublishedPort": port, "Protocol": "tcp", "PublishMode": "ingress"}
        for target, port in ((80, 8080), (443, 8443))
    ]
    fake.add("services", service_spec("web", EndpointSpec={"Ports": ports}))
    swarm = fake.snapshot()
    found = ask_ports(swarm, swarm.services, {}, lambda a: OK if a.port == 8080 else NO_ANSWER)
    assert [(p.address.port, str(p.answer)) for p in found] == [
        (8080, "HTTP 200"),
        (8443, "no answer"),
    ]


@pytest.mark.parametrize(
    ("rule", "access"),
    [
        (Rule("tcp", 80, 9000, "0.0.0.0/0"), Access.OPEN),
        (Rule("all", -1, -1, "198.51.100.0/24"), Access.OPEN),
        (Rule("tcp", 8080, 8080, "203.0.113.0/24"), Access.UNKNOWN),
        (Rule("tcp", 8080, 8080, "::/0"), Access.UNKNOWN),
        (Rule("tcp", 8080, 8080, LOAD_BALANCER), Access.BALANCED),
        (Rule("tcp", 8080, 8080, "sg-1"), Access.UNKNOWN),
        (Rule("udp", 8080, 8080, "0.0.0.0/0"), Access.CLOSED),
        (Rule("tcp", 8081, 8090, "0.0.0.0/0"), Access.CLOSED),
    ],
)
def test_who_may_reach_a_port_by_the_rules(rule: Rule, access: Access) -> None:
    assert rules(rule)("wkr1", "tcp", 8080) is access
    assert rules(rule)("unknown node", "tcp", 8080) is Access.UNKNOWN


def nodes(kernels: Kernels) -> ClusterNodes:
    return ClusterNodes(Target(()), lambda _: None, kernels)


def test_a_mesh_that_cannot_work_is_refused_with_the_nodes_and_the_way_out() -> None:
    with pytest.raises(RefusedError, match=r"web publishes 80 through .* none on wkr1") as caught:
        nodes(Kernels(("wkr1",))).require_mesh({"web": [80]})
    assert "--set publish=host" in caught.value.hint


def test_what_needs_no_mesh_is_not_refused() -> None:
    nodes(Kernels(("wkr1",))).require_mesh({"web": []})
    nodes(Kernels()).require_mesh({"web": [80]})
