"""Experiment files that are valid: the plans they become."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # it comes without types
import pytest
import yaml

from swarmctl.chaos.fault.kind import Options
from swarmctl.chaos.fault.selection import Selection
from swarmctl.chaos.faults import FAULTS
from swarmctl.chaos.plan.document import schema as file_schema
from swarmctl.chaos.plan.document.read import plan_from_file as load
from swarmctl.chaos.plan.hypothesis import Tolerance
from swarmctl.chaos.plan.plan import Plan
from swarmctl.chaos.plan.summary import summarise
from swarmctl.chaos.probes.command import Command
from swarmctl.chaos.probes.dns import Dns
from swarmctl.chaos.probes.http import Http
from swarmctl.chaos.probes.planned import FixedProbe, ServiceProbe
from swarmctl.chaos.probes.tcp import Tcp
from swarmctl.cli.main import main
from swarmctl.errors import Exit

Write = Callable[..., Path]

ROOT = Path(__file__).parents[4]

WHOLE = """\
version: 1
name: a-worker-dies
cluster: swarm_app
fault: {name: instance-stop, force: true}
targets: {role: worker, label: {disk: ssd, fast: yes, rack: 012}, count: 2, seed: 7}
duration: 30s
hypothesis:
  within: 1m
  never-below: {web: 6, api: 50%}
  probes:
    - {service: web, path: /api/message, status: [200, 204], success: 99.5%, longest-outage: 2s}
    - {name: db, tcp: "10.42.1.10:5432", longest-outage: 5s}
    - {name: dns, dns: {name: example.internal, server: "10.0.0.2:5353"}, success: 100%}
    - {name: lb, http: "https://lb.example/health", status: 200}
    - {name: script, command: [curl, -fsS, "http://10.0.0.1"], every: 500ms, timeout: 1s}
guards:
  override: [capacity]
  max-nodes: 2
  max-percent: 50%
  window: Mon-Fri 09:00-17:00 Europe/Berlin
repeat: 3
every: 10m
keep-going: true
"""


def test_every_key_arrives_in_the_plan(write: Write) -> None:
    plan = load(write(WHOLE))
    assert (plan.fault, plan.title, plan.cluster) == (
        "instance-stop",
        "a-worker-dies",
        "swarm_app",
    )
    assert plan.options == Options(force=True)
    assert plan.selection == Selection(
        role="worker", labels={"disk": "ssd", "fast": "yes", "rack": "012"}, count=2, seed=7
    )
    assert plan.duration_s == 30
    assert plan.hypothesis.within_s == 60
    assert plan.hypothesis.never_below == {"web": 6}
    assert plan.hypothesis.never_below_share == {"api": 0.5}
    assert plan.hypothesis.tolerances == {
        "web": Tolerance(success=0.995, longest_outage_s=2),
        "db": Tolerance(longest_outage_s=5),
        "dns": Tolerance(success=1),
    }
    assert plan.probes == (
        ServiceProbe("web", "/api/message", (200, 204)),
        FixedProbe("db", Tcp("10.42.1.10", 5432)),
        FixedProbe("dns", Dns("example.internal", "10.0.0.2", 5353)),
        FixedProbe("lb", Http("https://lb.example/health", (200,))),
        FixedProbe("script", Command(("curl", "-fsS", "http://10.0.0.1")), 0.5, 1.0),
    )
    assert plan.only_service is None
    assert (plan.limits.max_nodes, plan.limits.max_percent) == (2, 50)
    assert plan.limits.overrides == {"capacity"}
    assert str(plan.limits.window) == "Mon-Fri 09:00-17:00 Europe/Berlin"
    assert (plan.repeat, plan.every_s, plan.rolling, plan.keep_going) == (3, 600, False, True)


def test_missing_keys_have_the_defaults_of_the_options(write: Write) -> None:
    plan = load(write("version: 1\nfault: instance-stop\n", "worker.yml"))
    usual = Plan("instance-stop", FAULTS["instance-stop"].selection, title="worker")
    assert plan == usual


def test_any_filter_replaces_the_default_role(write: Write) -> None:
    text = "version: 1\nfault: instance-stop\ntargets: {targets}\n"
    assert load(write(text.format(targets="{count: 2}", count=2))).selection == Selection(
        role="worker", count=2
    )
    assert load(write(text.replace("{targets}", "{az: a}"))).selection == Selection(zone="a")
    assert load(write(text.replace("{targets}", "{leader: true}"))).selection.role == ""


def test_merged_keys_are_not_duplicates(write: Write) -> None:
    text = (
        "version: 1\nfault: drain\nhypothesis:\n  probes:\n"
        '    - &first {name: a, tcp: "a:1", every: 2s}\n    - {<<: *first, name: b}\n'
    )
    plan = load(write(text))
    assert [(p.name, p.every_s) for p in plan.probes if isinstance(p, FixedProbe)] == [
        ("a", 2),
        ("b", 2),
    ]


def test_an_empty_list_of_probes_means_no_probes(write: Write) -> None:
    plan = load(write("version: 1\nfault: drain\nhypothesis: {probes: []}\n"))
    assert (plan.probe_service, plan.probes) == ("none", ())


@pytest.mark.parametrize("name", ["worker-dies", "leader-dies", "zone-outage"])
def test_the_shipped_experiments_are_valid(name: str) -> None:
    path = ROOT / "experiments" / f"{name}.yml"
    assert summarise(load(path))
    jsonschema.validate(yaml.safe_load(path.read_text("utf-8")), file_schema.schema())


def test_a_plan_is_summarised_in_one_sentence(write: Write) -> None:
    text = summarise(load(write(WHOLE)))
    assert text.startswith(
        "instance-stop of 2 nodes (disk=ssd, fast=yes, rack=012, role worker) (seed 7) "
        "for at least 30 s, 3 times, 600 s from start to start, "
        "only Mon-Fri 09:00-17:00 Europe/Berlin; probes db every 1 s (tcp://10.42.1.10:5432), "
    )
    assert "web never has less than 6; api never has less than 50%" in text


def test_validate_reports_each_file(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = write(WHOLE, "good.yml"), write("version: 1\nfault: drian\n", "bad.yml")
    assert main(["chaos", "validate", str(good)]) == Exit.OK
    assert capsys.readouterr().out.startswith(f"{good}: ok: instance-stop of 2 nodes")
    assert main(["chaos", "validate", str(bad), str(good)]) == Exit.USAGE
    out, err = capsys.readouterr()
    assert out.startswith(f"{good}: ok: ")
    assert err == f"{bad}:2: fault: unknown fault drian (did you mean drain?)\n"
