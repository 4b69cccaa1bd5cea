"""Experiment files: what they come to, and each mistake with its line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # it comes without types
import pytest
import yaml

from swarmctl.chaos.fault.kind import OPTION_KEYS, Effect, Kind, Options
from swarmctl.chaos.fault.selection import Selection
from swarmctl.chaos.faults import FAULTS
from swarmctl.chaos.plan.document import example
from swarmctl.chaos.plan.document import schema as file_schema
from swarmctl.chaos.plan.document.read import plan_from_file as load
from swarmctl.chaos.plan.hypothesis import Tolerance
from swarmctl.chaos.plan.limits import OVERRIDABLE
from swarmctl.chaos.plan.plan import Plan
from swarmctl.chaos.plan.summary import summarise
from swarmctl.chaos.probes.command import Command
from swarmctl.chaos.probes.dns import Dns
from swarmctl.chaos.probes.http import Http
from swarmctl.chaos.probes.planned import FixedProbe, ServiceProbe
from swarmctl.chaos.probes.tcp import Tcp
from swarmctl.cli.main import main
from swarmctl.errors import Exit, UsageError
from swarmctl.reading.document import BadFileError

# Keys and list items of an example that are commented out; `rolling` would contradict `count`.
_KEYS = "cluster|never-below|max-percent|override|window|repeat|every|keep-going"
_COMMENTED = re.compile(rf"^( *)# (?=({_KEYS}|{'|'.join(OPTION_KEYS.values())}): |probes:|  - \{{)")
ROOT = Path(__file__).parents[4]
Write = Callable[..., Path]

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


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def put(text: str, name: str = "x.yml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return put


def faults_of(path: Path) -> list[str]:
    """The errors of a file, without its folder."""
    with pytest.raises(BadFileError) as caught:
        load(path)
    assert caught.value.exit_code == Exit.USAGE
    assert all(fault.startswith(f"{path}:") for fault in caught.value.faults)
    return [fault.removeprefix(f"{path.parent}/") for fault in caught.value.faults]


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
    assert (plan.limits.max_nodes, plan.limits.max_percent) == (2, 50)
    assert plan.limits.overrides == {"capacity"}
    assert str(plan.limits.window) == "Mon-Fri 09:00-17:00 Europe/Berlin"
    assert (plan.repeat, plan.every_s, plan.rolling, plan.keep_going) == (3, 600, False, True)


def test_what_is_left_out_is_as_on_the_command_line(write: Write) -> None:
    plan = load(write("version: 1\nfault: instance-stop\n", "worker.yml"))
    usual = Plan("instance-stop", FAULTS["instance-stop"].selection, title="worker")
    assert plan == usual


def test_the_usual_role_is_for_those_who_do_not_say_where_to_draw(write: Write) -> None:
    text = "version: 1\nfault: instance-stop\ntargets: {targets}\n"
    assert load(write(text.format(targets="{count: 2}", count=2))).selection == Selection(
        role="worker", count=2
    )
    assert load(write(text.replace("{targets}", "{az: a}"))).selection == Selection(zone="a")
    assert load(write(text.replace("{targets}", "{leader: true}"))).selection.role == ""


def test_json_is_read_too_with_its_lines(write: Write) -> None:
    good = write(json.dumps({"version": 1, "fault": "drain"}, indent="\t"), "x.json")
    assert load(good).fault == "drain"
    bad = write(json.dumps({"version": 1, "fault": "drian"}, indent="\t"), "x.json")
    assert faults_of(bad) == ["x.json:3: fault: unknown fault drian (did you mean drain?)"]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("version: 2", "version: must be 1, the only version of this form, not 2"),
        ("fualt: drain", "fualt: unknown key (did you mean fault?)"),
        ("name:", "name: is empty; must be one line of at most 80 characters"),
        ("targets: {role: chief}", 'targets.role: must be worker or manager, not "chief"'),
        ("targets: {count: 0}", "targets.count: 0 is below the minimum of 1"),
        ("targets: {percent: 101}", "targets.percent: must be per cent, over 0 and up to 100"),
        ("targets: {percent: 0%}", "targets.percent: must be above 0 %"),
        (
            "targets: {count: 1, percent: 5}",
            "targets.percent: cannot be combined with targ",
        ),
        ("targets: {names: [a], seed: 1}", "targets.seed: cannot be combined with names of nodes"),
        ("targets: {service: web}", "targets.service: drain takes nodes, not the tasks of web"),
        ("targets: {zone: a}", "targets.zone: unknown key (known: az, count, hosts-servi"),
        ("targets: workers", "targets: must be a mapping that says which nodes or tasks"),
        ("duration: 5 minutes", "duration: must be a duration such as 30s, 1m30s or 2h, or"),
        ("duration: -3", "duration: must be a duration such as 30s, 1m30s or 2h, or a numbe"),
        ("duration: .inf", "duration: must be a duration such as 30s, 1m30s or 2h, or a num"),
        ("hypothesis: {never-below: {web: 101%}}", "hypothesis.never-below.web: must be a nu"),
        ("hypothesis: {never-below: {web: -1}}", "hypothesis.never-below.web: must be a numb"),
        ("guards: {override: [capacty]}", "guards.override[0]: unknown guard capacty (did y"),
        ("guards: {window: Someday}", "guards.window: cannot read the time window 'Someday'"),
        ("guards: {max-percent: 120}", "guards.max-percent: must be per cent, 0 to 100, not"),
        ("every: 10m", "every: needs repeat above 1, or rolling"),
        ("rolling: maybe", 'rolling: must be true or false, not "maybe"'),
        ("repeat: 0", "repeat: 0 is below the minimum of 1"),
    ],
)
def test_a_mistake_is_said_with_its_line(write: Write, line: str, text: str) -> None:
    path = write(
        f"# first line\nversion: 1\nfault: drain\n{line}\n".replace(
            "version: 1\nfault: drain\nversion", "fault: drain\n\nversion"
        )
    )
    assert any(fault.startswith(f"x.yml:4: {text}") for fault in faults_of(path))


@pytest.mark.parametrize(
    ("probe", "text"),
    [
        ("{name: x}", ": needs service, http, tcp, dns or command"),
        ('{service: web, tcp: "a:1"}', ": service and tcp cannot be combined"),
        ('{tcp: "a:1"}', ": needs a name, for the journal and the report"),
        ("{name: x, tcp: a}", ".tcp: must be host:port, such as 10.42.1.10:5432, not"),
        ('{name: x, tcp: "a:70000"}', ".tcp: 70000 is not a port"),
        ('{name: x, tcp: "a:1", status: 200}', ".status: needs service or http"),
        ('{name: x, tcp: "a:1", path: /}', ".path: needs service"),
        ('{name: x, tcp: "a:1", every: 0s}', ".every: is below the minimum of 0.1 s"),
        ('{name: x, tcp: "a:1", timeout: 0}', ".timeout: must be above 0 s and at most 30 s"),
        ('{name: x, tcp: "a:1", every: 100ms, timeout: 9s}', ".timeout: must be at most 20 times"),
        (
            '{name: x, tcp: "a:1", every: 2m}',
            ".every: every and timeout together must be",
        ),
        ('{name: x, tcp: "a:1", success: 101%}', ".success: must be per cent such as 99% or"),
        ('{name: x, tcp: "a:1", sucess: 99%}', ".sucess: unknown key (did you mean success?)"),
        ("{name: x, http: ftp://a}", ".http: must be an address such as http://lb.example/"),
        ('{name: x, http: "http://a:b/"}', ".http: is not a URL: "),
        ("{name: x, dns: {server: 10.0.0.2}}", ".dns: name is missing"),
        ("{name: x, dns: {name: a, server: ns}}", ".dns.server: must be an IP address, or"),
        ("{name: x, command: curl -f http://a}", ".command: must be a list: the program and"),
        ("{name: x, command: [sleep, 1]}", ".command[1]: must be one word of a command (wri"),
        ("{service: web, every: 1s}", ".every: cannot be set: the probe of a service is sent"),
        ("{service: web, name: x}", ".name: cannot be set: the probe of a service has"),
        ("{service: web, path: api}", ".path: must be a path such as /api/message, not "),
        ("{service: web, status: 42}", ".status: must be an HTTP status "),
        ('{service: "*", path: /api}', ".path: cannot be the same for all services: list th"),
        ("web", ": must be a mapping with one of service, http, tcp, dns and command, not"),
    ],
)
def test_a_mistake_in_a_probe_is_said_with_its_line(write: Write, probe: str, text: str) -> None:
    path = write(f"version: 1\nfault: drain\nhypothesis:\n  probes:\n    - {probe}\n")
    (fault,) = faults_of(path)
    assert fault.startswith(f"x.yml:5: hypothesis.probes[0]{text}")


@pytest.mark.parametrize(
    ("fault", "text"),
    [
        ("instance-stpo", "fault: unknown fault instance-stpo (did you mean instance-stop?)"),
        ("{name: instance-stpo}", "fault.name: unknown fault instance-stpo (did you mean inst"),
        ("{force: true}", "fault: name is missing"),
        ("{name: drain, force: true}", "fault.force: drain does not take this (it takes no op"),
        ("{name: partition, level: 5}", "fault.level: partition does not take this (it takes "),
        ("{name: partition, from: all-of-them}", "fault.from: must be managers, workers or al"),
        ("{name: latency, delay: 200}", "fault.delay: must be a duration with its unit such a"),
        ("{name: cpu, level: 101}", "fault.level: 101 is above the maximum of 100"),
        (
            '{name: instance-terminate, replace-with: "a \'b"}',
            "fault.replace-with: is not a com",
        ),
        ("[drain]", "fault: must be the name of a fault, or a mapping of its name and its opt"),
        ("task-kill", "targets: task-kill needs a service"),
    ],
)
def test_a_fault_that_cannot_be_is_said_with_its_line(write: Write, fault: str, text: str) -> None:
    (found,) = faults_of(write(f"version: 1\nfault: {fault}\n"))
    line = 1 if text.startswith("targets") else 2
    assert found.startswith(f"x.yml:{line}: {text}")


def test_all_mistakes_are_said_at_once_in_the_order_of_the_file(write: Write) -> None:
    text = "version: 1\nfault: drian\nduration: soon\nhypothesis:\n  never-blow: {}\nrepeat: none\n"
    lines = [int(fault.split(":")[1]) for fault in faults_of(write(text))]
    assert lines == [2, 3, 5, 6]


def test_a_key_that_is_there_twice_is_said_at_its_second_place(write: Write) -> None:
    path = write("version: 1\nfault: drain\nduration: 1s\nduration: 2s\n")
    assert faults_of(path) == ["x.yml:4: duration: this key appears twice"]


def test_two_probes_of_one_name_are_refused(write: Write) -> None:
    path = write(
        "version: 1\nfault: drain\nhypothesis:\n  probes:\n"
        '    - {name: db, tcp: "a:1"}\n    - {name: db, tcp: "b:1"}\n'
    )
    assert faults_of(path) == ["x.yml:6: hypothesis.probes[1].name: another probe has this name"]


def test_rolling_takes_no_count(write: Write) -> None:
    path = write("version: 1\nfault: drain\nrolling: true\ntargets:\n  role: worker\n  count: 2\n")
    assert faults_of(path) == [
        "x.yml:6: targets.count: cannot be combined with rolling, which takes every node in turn"
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("version: 1\nfault: [drain\n", 3),
        ("version: 1\nfault: !secret drain\n", 2),
        ("version: 1\n? [a]\n: b\n", 2),
        ("version: 1\nfault: *nothing\n", 2),
        ("version: &a\n  b: *a\n", 2),
    ],
)
def test_what_is_not_yaml_is_said_with_its_line(write: Write, text: str, line: int) -> None:
    (fault,) = faults_of(write(text))
    assert re.match(rf"x\.yml:{line}:\d+: not valid YAML: ", fault)


def test_aliases_of_aliases_do_not_fill_the_memory(write: Write) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert "more than 100000 values" in faults_of(write("\n".join(lines)))[0]


def test_merged_keys_are_no_duplicates(write: Write) -> None:
    text = (
        "version: 1\nfault: drain\nhypothesis:\n  probes:\n"
        '    - &first {name: a, tcp: "a:1", every: 2s}\n    - {<<: *first, name: b}\n'
    )
    plan = load(write(text))
    assert [(p.name, p.every_s) for p in plan.probes if isinstance(p, FixedProbe)] == [
        ("a", 2),
        ("b", 2),
    ]


@pytest.mark.parametrize("text", ["", "- version\n", "just words\n"])
def test_a_file_that_is_no_mapping_is_refused(write: Write, text: str) -> None:
    (fault,) = faults_of(write(text))
    assert "must be a mapping of keys" in fault


def test_a_file_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load(tmp_path / "none.yml")
    (tmp_path / "bin.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not text in UTF-8"):
        load(tmp_path / "bin.yml")


def test_an_empty_list_of_probes_asks_nothing(write: Write) -> None:
    plan = load(write("version: 1\nfault: drain\nhypothesis: {probes: []}\n"))
    assert (plan.probe_service, plan.probes) == ("none", ())


def test_the_schema_is_one_and_knows_all_faults_and_guards() -> None:
    schema = file_schema.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$defs"]["fault-name"]["enum"] == list(FAULTS)
    assert schema["$defs"]["guard"]["enum"] == list(OVERRIDABLE)


def test_every_option_of_a_fault_has_a_key_in_the_file() -> None:
    assert set(OPTION_KEYS) == {field.name for field in fields(Options)}
    assert {option for kind in FAULTS.values() for option in kind.takes} == set(OPTION_KEYS)
    _, options = file_schema.schema()["properties"]["fault"]["oneOf"]
    assert set(options["properties"]) == {"name", *OPTION_KEYS.values()}


@pytest.mark.parametrize("kind", FAULTS.values(), ids=lambda kind: kind.name)
def test_the_example_of_each_fault_is_valid(write: Write, kind: Kind) -> None:
    path = write(example.write(kind, "x.yml", "some-name"))
    plan = load(path)
    assert (plan.fault, plan.title) == (kind.name, "some-name")
    assert kind.effect is Effect.TASKS or not plan.selection.service


@pytest.mark.parametrize("kind", FAULTS.values(), ids=lambda kind: kind.name)
def test_the_comments_of_an_example_are_valid_too(write: Write, kind: Kind) -> None:
    """Whoever takes the `#` away must not meet a mistake of ours."""
    text = example.write(kind, "x.yml", "some-name")
    lines = [_COMMENTED.sub(r"\1", line) for line in text.splitlines()]
    plan = load(write("\n".join(lines)))
    assert len(plan.probes) == 5
    assert (plan.repeat, plan.limits.overrides) == (3, frozenset({"capacity"}))
    assert plan.hypothesis.never_below_share == {"three_tier_web": 0.5}


@pytest.mark.parametrize("name", ["worker-dies", "leader-dies", "zone-outage"])
def test_the_files_that_come_along_are_valid(name: str) -> None:
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


def test_validate_names_each_file(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = write(WHOLE, "good.yml"), write("version: 1\nfault: drian\n", "bad.yml")
    assert main(["chaos", "validate", str(good)]) == Exit.OK
    assert capsys.readouterr().out.startswith(f"{good}: ok: instance-stop of 2 nodes")
    assert main(["chaos", "validate", str(bad), str(good)]) == Exit.USAGE
    out, err = capsys.readouterr()
    assert out.startswith(f"{good}: ok: ")
    assert err == f"{bad}:2: fault: unknown fault drian (did you mean drain?)\n"


def test_a_run_of_a_bad_file_says_the_same(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = write("version: 1\nfault: drian\n")
    assert main(["chaos", "run", str(bad)]) == Exit.USAGE
    assert f"{bad}:2: fault: unknown fault drian" in capsys.readouterr().err


def test_init_does_not_replace_a_file_that_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "mine.yml"
    assert main(["chaos", "init", str(path), "--fault", "task-kill"]) == Exit.OK
    assert load(path).fault == "task-kill"
    assert main(["chaos", "init", str(path)]) == Exit.USAGE
    assert "already exists" in capsys.readouterr().err
    assert load(path).fault == "task-kill"
    assert main(["chaos", "init", str(path), "--force"]) == Exit.OK
    assert load(path).fault == "instance-stop"
    assert main(["chaos", "init", str(tmp_path / "x.txt")]) == Exit.USAGE
    assert main(["chaos", "init", str(tmp_path / "y.yml"), "--fault", "drian"]) == Exit.USAGE


def test_schema_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chaos", "schema"]) == Exit.OK
    assert json.loads(capsys.readouterr().out) == file_schema.schema()
