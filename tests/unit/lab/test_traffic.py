"""The lab's API takes as many calls a second as AWS, counts them, and fails when it is asked to."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

from swarmctl.lab.access import traffic as module
from swarmctl.lab.access.api_error import ApiError
from swarmctl.lab.access.call import Call, read_call
from swarmctl.lab.access.keys import Key
from swarmctl.lab.access.traffic import CONTROL, Traffic

OPERATOR, AGENT = Key("LABKEY", "secret"), Key("ASIA", "secret", "token", "agent")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def traffic(clock: Clock) -> Traffic:
    return Traffic(limited=True, now=clock)


def call(name: str, **parameters: Any) -> Call:
    service, _, action = name.partition(":")
    as_json = service in ("servicediscovery", CONTROL)
    return Call(service, action, parameters, "eu-central-1", as_json=as_json)


def admitted(traffic: Traffic, wanted: Call, times: int, key: Key = OPERATOR) -> int:
    """How many of so many calls at once pass."""
    passed = 0
    for _ in range(times):
        try:
            traffic.admit(key, wanted)
        except ApiError:
            continue
        passed += 1
    return passed


@pytest.mark.parametrize(
    ("wanted", "at_once", "a_second"),
    [
        (call("ec2:DescribeInstances", **{"Filter.1.Name": "tag:Name"}), 100, 20),
        (call("ec2:DescribeInstances"), 50, 10),
        (call("ec2:AuthorizeSecurityGroupIngress"), 50, 5),
        (call("ec2:RunInstances"), 5, 2),
        (call("elasticloadbalancing:DescribeTargetHealth"), 40, 10),
        (call("elasticloadbalancing:CreateRule"), 20, 3),
        (call("elasticloadbalancing:RegisterTargets"), 20, 4),
        (call("servicediscovery:RegisterInstance"), 50, 50),
        (call("route53:ChangeResourceRecordSets"), 5, 5),
    ],
)
def test_a_burst_and_then_a_steady_rate_pass(
    traffic: Traffic, clock: Clock, wanted: Call, at_once: int, a_second: int
) -> None:
    assert admitted(traffic, wanted, 300) == at_once
    clock.now += 1
    assert admitted(traffic, wanted, 300) == a_second
    clock.now += 3600
    assert admitted(traffic, wanted, 300) == at_once


def test_the_actions_of_one_family_share_their_limit(traffic: Traffic) -> None:
    admitted(traffic, call("route53:ListHostedZones"), 5)
    assert admitted(traffic, call("route53:GetHostedZone"), 1) == 0
    assert admitted(traffic, call("servicediscovery:RegisterInstance"), 60) == 50
    assert admitted(traffic, call("servicediscovery:DeregisterInstance"), 60) == 50


@pytest.mark.parametrize(
    ("name", "code", "status"),
    [
        ("ec2:RunInstances", "RequestLimitExceeded", 503),
        ("elasticloadbalancing:CreateRule", "ThrottlingException", 400),
        ("servicediscovery:RegisterInstance", "RequestLimitExceeded", 400),
        ("route53:ListHostedZones", "Throttling", 400),
    ],
)
def test_each_service_words_its_limit(traffic: Traffic, name: str, code: str, status: int) -> None:
    admitted(traffic, call(name), 50)
    with pytest.raises(ApiError) as caught:
        traffic.admit(OPERATOR, call(name))
    assert (caught.value.code, caught.value.status) == (code, status)


def test_calls_are_counted_by_caller_action_and_outcome(traffic: Traffic, clock: Clock) -> None:
    admitted(traffic, call("ec2:RunInstances"), 6)
    admitted(traffic, call("servicediscovery:ListServices"), 2, AGENT)
    clock.now += 60
    found = traffic.control(OPERATOR, call(f"{CONTROL}:ListCalls"))
    assert found["Seconds"] == 60
    assert [tuple(row.values()) for row in found["Calls"]] == [
        ("agent", "servicediscovery:ListServices", "passed", 2),
        ("operator", "ec2:RunInstances", "RequestLimitExceeded", 1),
        ("operator", "ec2:RunInstances", "passed", 5),
    ]


def rows(traffic: Traffic) -> list[tuple[Any, ...]]:
    found = traffic.control(OPERATOR, call(f"{CONTROL}:ListCalls"))
    return [tuple(row.values()) for row in found["Calls"]]


def test_a_call_that_a_policy_refuses_is_no_call_that_passed(traffic: Traffic) -> None:
    wanted = call("ec2:RunInstances")
    admitted(traffic, wanted, 2, AGENT)
    traffic.deny(AGENT, wanted, ApiError("UnauthorizedOperation", "no"))
    assert rows(traffic) == [
        ("agent", "ec2:RunInstances", "UnauthorizedOperation", 1),
        ("agent", "ec2:RunInstances", "passed", 1),
    ]


def test_callers_cannot_fill_the_memory_with_names(
    traffic: Traffic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_ROWS", 2)
    for number in range(5):
        admitted(traffic, call(f"ec2:Invented{number}"), 1)
    assert [(name, number) for _, name, _, number in rows(traffic)] == [
        ("ec2:Invented0", 1),
        ("ec2:Invented1", 1),
        ("others", 3),
    ]


@pytest.mark.parametrize("action", ["create_vpc", "Create Vpc", "Create\x1b[2JVpc", "x" * 65])
def test_a_name_that_moto_reads_otherwise_is_refused(action: str) -> None:
    """Broken: a policy that denies ec2:CreateVpc is asked about ec2:create_vpc."""
    body = urlencode({"Action": action}).encode()
    for given, headers in ((body, {}), (b"", {"HTTP_X_AMZ_TARGET": f"x.{action}"})):
        with pytest.raises(ApiError, match="letters and digits"):
            read_call(headers, given, "sqs", "eu-central-1")


@pytest.fixture
def fault(traffic: Traffic) -> Callable[..., Any]:
    def begin(key: Key = OPERATOR, **parameters: Any) -> Any:
        return traffic.control(key, call(f"{CONTROL}:SetFault", **parameters))

    return begin


def test_the_api_fails_for_a_time_when_it_is_asked_to(
    traffic: Traffic, clock: Clock, fault: Callable[..., Any]
) -> None:
    fault(Status=500, Seconds=60, Service="servicediscovery")
    with pytest.raises(ApiError, match="InternalServiceError") as caught:
        traffic.admit(OPERATOR, call("servicediscovery:ListServices"))
    assert caught.value.status == 500
    traffic.admit(OPERATOR, call("ec2:DescribeVpcs"))
    clock.now += 60
    traffic.admit(OPERATOR, call("servicediscovery:ListServices"))


def test_everything_can_be_throttled_and_the_fault_ended(
    traffic: Traffic, fault: Callable[..., Any]
) -> None:
    fault(Status=0, Seconds=60)
    assert admitted(traffic, call("ec2:DescribeVpcs"), 9) == 0
    fault(Status=0, Seconds=0)
    assert admitted(traffic, call("ec2:DescribeVpcs"), 9) == 9


@pytest.mark.parametrize(
    "asked",
    [
        {"Status": 404, "Seconds": 1},
        {"Status": "500", "Seconds": 1},
        {"Status": 500, "Seconds": -1},
        {"Status": 500, "Seconds": 1e9},
        {"Status": 500},
        {"Status": 600, "Seconds": 1},
        {"Status": 500, "Seconds": 1, "Service": "elbv2"},
        {},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(
    fault: Callable[..., Any], asked: dict[str, Any]
) -> None:
    with pytest.raises(ApiError, match="ValidationException"):
        fault(**asked)


def test_a_role_may_neither_count_nor_disturb(traffic: Traffic, fault: Callable[..., Any]) -> None:
    for action in (
        lambda: fault(AGENT, Status=500, Seconds=60),
        lambda: traffic.control(AGENT, call(f"{CONTROL}:ListCalls")),
    ):
        with pytest.raises(ApiError, match="AccessDenied"):
            action()


def test_the_action_of_every_kind_of_request_is_known() -> None:
    def read(service: str, body: bytes = b"", **environ: str) -> Call:
        return read_call(environ, body, service, "eu-central-1")

    assert read("ec2", b"Action=RunInstances&MinCount=1").name == "ec2:RunInstances"
    target = "Route53AutoNaming_v20170314.GetService"
    body = json.dumps({"Id": "srv-1"}).encode()
    found = read("servicediscovery", body, HTTP_X_AMZ_TARGET=target)
    assert (found.name, found.parameters) == ("servicediscovery:GetService", {"Id": "srv-1"})
    path = "/2013-04-01/hostedzone/Z1/rrset/"
    changed = read("route53", REQUEST_METHOD="POST", PATH_INFO=path)
    assert changed.name == "route53:ChangeResourceRecordSets"
    assert read("ec2", b"\xff").name == "ec2:UnknownAction"
