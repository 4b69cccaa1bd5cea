"""Options of ``chaos run``: they become the document that a file is, and errors name them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from swarmctl.chaos.fault.kind import Options
from swarmctl.chaos.fault.selection import Selection
from swarmctl.chaos.plan.document.from_options import from_options
from swarmctl.chaos.plan.document.options import OPTIONS, Given
from swarmctl.chaos.plan.document.read import plan_from_file, plan_from_options
from swarmctl.chaos.plan.plan import Plan
from swarmctl.chaos.probes.http import Http
from swarmctl.chaos.probes.planned import FixedProbe, ServiceProbe
from swarmctl.chaos.probes.probe import Client
from swarmctl.cli.main import main
from swarmctl.discovery.check.find import Choice
from swarmctl.discovery.listeners.load_balancer.urls import Url
from swarmctl.discovery.listeners.sockets import Place
from swarmctl.errors import UsageError


def plan(fault: str, **given: Any) -> Plan:
    return plan_from_options(fault, flags(given))


def flags(given: dict[str, Any]) -> Given:
    return {f"--{name.replace('_', '-').strip('-')}": value for name, value in given.items()}


def mistakes(fault: str, **given: Any) -> list[str]:
    with pytest.raises(UsageError) as caught:
        plan(fault, **given)
    return caught.value.message.splitlines()


def test_every_option_arrives_in_the_plan() -> None:
    found = plan(
        "partition",
        target=["role:worker", "label:disk=ssd"],
        count="2",
        seed="7",
        from_="workers",
        timeout="1m",
        duration="30",
        probe_service="web",
        override=["capacity"],
        max_nodes="2",
        max_percent="50",
        window="Mon-Fri 09:00-17:00 Europe/Berlin",
        repeat="3",
        every="10m",
        keep_going=True,
    )
    assert found.fault == "partition"
    assert found.options == Options(sever="workers")
    assert found.selection == Selection(role="worker", labels={"disk": "ssd"}, count=2, seed=7)
    assert (found.hypothesis.within_s, found.duration_s) == (60, 30)
    assert found.probes == (ServiceProbe("web"),)
    assert found.only_service == "web"
    assert (found.limits.max_nodes, found.limits.max_percent) == (2, 50)
    assert found.limits.overrides == {"capacity"}
    assert str(found.limits.window) == "Mon-Fri 09:00-17:00 Europe/Berlin"
    assert (found.repeat, found.every_s, found.rolling, found.keep_going) == (3, 600, False, True)


def test_the_same_document_in_a_file_is_the_same_plan(tmp_path: Path) -> None:
    file = tmp_path / "x.yml"
    file.write_text(
        "version: 1\nname: x\nfault: {name: latency, delay: 300ms}\n"
        "targets: {az: b, percent: 50}\nrepeat: 2\n"
    )
    options = plan("latency", az="b", percent="50", delay="300", repeat="2")
    assert options.options == Options(delay_ms=300)
    assert plan_from_file(file) == Plan(**{**_fields(options), "title": "x"})


def _fields(of: Plan) -> dict[str, Any]:
    return {name: getattr(of, name) for name in of.__dataclass_fields__}


@pytest.mark.parametrize(
    ("target", "selection"),
    [
        (["leader"], Selection(leader=True)),
        (["az:b"], Selection(zone="b")),
        (["hosts-service:web"], Selection(hosts="web")),
        (["role:worker", "az:a"], Selection(role="worker", zone="a")),
        (["wkr2", "mgr1", "wkr2"], Selection(names=("wkr2", "mgr1"))),
    ],
)
def test_a_target_is_a_name_or_a_filter(target: list[str], selection: Selection) -> None:
    assert plan("instance-stop", target=target).selection == selection


def test_a_service_is_a_target_of_task_kill() -> None:
    found = plan("task-kill", target=["service:web", "wkr1"])
    assert found.selection == Selection(names=("wkr1",), service="web")


@pytest.mark.parametrize(
    ("fault", "given", "text"),
    [
        ("cpu", {"level": "140"}, "--level: 140 is above the maximum of 100"),
        ("cpu", {"level": "much"}, "--level: must be a whole number of per cent, 1 to 100, not"),
        ("drian", {}, "FAULT: unknown fault drian (did you mean drain?)"),
        ("drain", {"force": True}, "--force: drain does not take this (it takes no option)"),
        ("cpu", {"force": True}, "--force: cpu does not take this (it takes --level)"),
        ("partition", {"from_": "all-of-them"}, "--from: must be managers, workers or all ("),
        ("latency", {"delay": "0"}, "--delay: 0ms is below the minimum of 1ms"),
        ("drain", {"timeout": "0"}, "--timeout: 0 is below the minimum of 1s"),
        ("drain", {"timeout": "soon"}, "--timeout: must be a duration such as 30s, 1m30s or 2h"),
        ("drain", {"repeat": "0"}, "--repeat: 0 is below the minimum of 1"),
        ("drain", {"every": "5"}, "--every: needs --repeat above 1, or --rolling"),
        ("drain", {"count": "2", "percent": "5"}, "--percent: cannot be combined with --count"),
        ("drain", {"rolling": True, "count": "2"}, "--count: cannot be combined with --rolling"),
        ("az-outage", {"rolling": True, "az": "a"}, "--rolling: az-outage cannot take the nodes"),
        ("drain", {"target": ["a"], "seed": "1"}, "--seed: cannot be combined with names of nod"),
        ("drain", {"target": ["a", "az:b"]}, "--target: cannot be combined with names of nodes"),
        ("drain", {"target": ["role:worker"], "role": "manager"}, "--role: cannot be combined w"),
        ("drain", {"role": "chief"}, '--role: must be worker or manager, not "chief"'),
        ("drain", {"override": ["qorum"]}, "--override: unknown guard qorum (did you mean quor"),
        ("drain", {"window": "always"}, "--window: cannot read the time window 'always'"),
        ("drain", {"target": ["service:web"]}, "--target: drain takes nodes, not the tasks of w"),
        ("task-kill", {"target": ["wkr1"]}, "task-kill needs a service"),
        ("az-outage", {}, "az-outage needs a zone"),
    ],
)
def test_a_mistake_is_reported_with_its_option(
    fault: str, given: dict[str, Any], text: str
) -> None:
    (found,) = mistakes(fault, **given)
    assert found.startswith(text)


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_options() -> None:
    found = mistakes("cpu", count="0", level="140", repeat="none")
    assert [line.partition(":")[0] for line in found] == ["--count", "--level", "--repeat"]


def test_an_unknown_filter_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="unknown filter 'zone'") as caught:
        plan("drain", target=["zone:a"])
    assert "hosts-service" in caught.value.hint


def test_none_turns_the_probes_of_services_off() -> None:
    found = plan("drain", probe_service="none")
    assert found.only_service == "none"
    assert found.only_service == "none"
    assert plan("drain").only_service is None


def test_every_option_has_a_key_that_the_schema_knows() -> None:
    values = {
        "--target": ["az:a"], "--delay": "5", "--window": "09:00-17:00", "--override": ["quorum"],
        "--from": "all", "--role": "worker", "--replace-with": "true", "--az": "a",
    }  # fmt: skip
    for option in OPTIONS:
        value = values.get(option.flag, "1" if option.metavar else True)
        source = from_options("drain", {option.flag: value})
        assert source.value.keys() - {"version", "fault"} or len(source.value["fault"]) > 1
        (error,) = _errors("drain", {option.flag: value}) or [""]
        assert "unknown key" not in error


def _errors(fault: str, given: Given) -> list[str]:
    try:
        plan_from_options(fault, given)
    except UsageError as error:
        return error.message.splitlines()
    return []


# -- a file with options --------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.yml"
    path.write_text("version: 1\nfault: drain\nguards:\n  override: [quorum]\n")
    return path


def test_a_seed_and_overrides_are_added_to_a_file(file: Path) -> None:
    found = plan_from_file(file, {"--seed": "7", "--override": ["capacity", "quorum"]})
    assert found.selection == Selection(role="worker", seed=7)
    assert found.limits.overrides == {"quorum", "capacity"}


def test_other_options_are_refused_with_a_file(file: Path) -> None:
    with pytest.raises(UsageError, match="--count, --level cannot be combined with a file"):
        plan_from_file(file, {"--level": "5", "--count": "1"})


def test_an_error_names_the_option_or_the_line(file: Path) -> None:
    file.write_text("version: 1\nfault: drian\ntargets: {names: [wkr1]}\n")
    with pytest.raises(UsageError) as caught:
        plan_from_file(file, {"--seed": "7"})
    assert caught.value.message.splitlines() == [
        "--seed: cannot be combined with names of nodes: nothing is drawn",
        f"{file}:2: fault: unknown fault drian (did you mean drain?)",
    ]


def test_a_file_whose_targets_are_no_mapping_is_reported_with_its_line(file: Path) -> None:
    file.write_text("version: 1\nfault: drain\ntargets: workers\n")
    with pytest.raises(UsageError, match=r"x\.yml:3: targets: must be a mapping"):
        plan_from_file(file, {"--seed": "7"})


def test_the_help_shows_every_option_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chaos", "run", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "list[str]" not in shown
    lines = [line.split()[0].rstrip(",") for line in shown.splitlines() if line.startswith("  -")]
    names = [word for line in lines for word in line.split(",")]
    for option in OPTIONS:
        assert option.flag in names or f"{option.flag}," in names or option.flag in shown


def test_urls_are_probed_beside_the_services() -> None:
    found = plan("drain", probe_url=["http://lb.example/auth/", "https://lb.example/"])
    assert [(p.name, p.client) for p in found.probes] == [
        ("http://lb.example/auth/", Client.LOAD_BALANCER),
        ("https://lb.example/", Client.LOAD_BALANCER),
    ]
    assert (found.only_service, found.find_urls) == (None, False)
    both = plan("drain", probe_service="web", probe_url=["http://lb.example/"])
    assert both.only_service == "web"


@pytest.mark.parametrize(
    ("given", "service", "find"),
    [
        ({}, None, True),
        ({"probe_service": "web"}, "web", True),
        ({"probe_service": "none"}, "none", False),
        ({"probe_url": ["none"]}, None, False),
        ({"probe_service": "none", "probe_url": ["http://lb.example/"]}, "none", False),
    ],
)
def test_the_load_balancers_urls_are_found_unless_the_user_says_otherwise(
    given: dict[str, Any], service: str | None, find: bool
) -> None:
    found = plan("drain", **given)
    assert (found.only_service, found.find_urls) == (service, find)


def test_a_url_that_is_none_is_named_with_its_option() -> None:
    assert mistakes("drain", probe_url=["lb.example"])[0].startswith("--probe-url: must be what")


def test_the_listeners_that_are_asked_can_be_named() -> None:
    given = {"consul": "127.0.0.1:8500", "dns": "[::1]:8600", "cloud_map": "shop.internal"}
    assert plan("drain", **given).listeners == Choice(
        Place("127.0.0.1", 8500), Place("::1", 8600), "shop.internal"
    )
    assert plan("drain").listeners == Choice()
    assert mistakes("drain", dns="localhost:53") == [
        "--dns: is not an address and a port (write 127.0.0.1:8500)"
    ]


def test_the_urls_that_are_found_are_probed_for_the_services_that_are() -> None:
    urls = {
        "web": Url("", "http://lb.example/"),
        "auth": Url("http://h/auth/", "http://lb.example/auth/", "h"),
    }
    every = plan("drain").with_urls(urls)
    assert [p.name for p in every.probes] == ["web (load balancer)", "auth (load balancer)"]
    assert [isinstance(p, FixedProbe) and p.probe for p in every.probes] == [
        Http("http://lb.example/", bad_from=400),
        Http("http://lb.example/auth/", host="h", bad_from=400),
    ]
    one = plan("drain", probe_service="web").with_urls(urls)
    assert [p.name for p in one.probes] == ["web", "web (load balancer)"]
    assert one.only_service == "web"
