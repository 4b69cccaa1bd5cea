"""Experiment files with mistakes: each is reported with its line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from swarmctl.chaos.plan.document.read import plan_from_file as load
from swarmctl.cli.main import main
from swarmctl.errors import Exit, UsageError
from swarmctl.reading.document import BadFileError

Write = Callable[..., Path]


def faults_of(path: Path) -> list[str]:
    """The errors of a file, without its folder."""
    with pytest.raises(BadFileError) as caught:
        load(path)
    assert caught.value.exit_code == Exit.USAGE
    assert all(fault.startswith(f"{path}:") for fault in caught.value.faults)
    return [fault.removeprefix(f"{path.parent}/") for fault in caught.value.faults]


def test_json_is_read_and_its_mistakes_have_lines(write: Write) -> None:
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
def test_a_mistake_is_reported_with_its_line(write: Write, line: str, text: str) -> None:
    path = write(
        f"# first line\nversion: 1\nfault: drain\n{line}\n".replace(
            "version: 1\nfault: drain\nversion", "fault: drain\n\nversion"
        )
    )
    assert any(fault.startswith(f"x.yml:4: {text}") for fault in faults_of(path))


@pytest.mark.parametrize(
    ("probe", "text"),
    [
        ("{name: x}", ": needs service, url, http, tcp, dns or command"),
        ('{service: web, tcp: "a:1"}', ": service and tcp cannot be combined"),
        ('{tcp: "a:1"}', ": needs a name, for the journal and the report"),
        ("{name: x, tcp: a}", ".tcp: must be host:port, such as 10.42.1.10:5432, not"),
        ('{name: x, tcp: "a:70000"}', ".tcp: 70000 is not a port"),
        ('{name: x, tcp: "a:1", status: 200}', ".status: needs service, url or http"),
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
        ("web", ": must be a mapping with one of service, url, http, tcp, dns and command, not"),
    ],
)
def test_a_mistake_in_a_probe_is_reported_with_its_line(
    write: Write, probe: str, text: str
) -> None:
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
def test_an_invalid_fault_is_reported_with_its_line(write: Write, fault: str, text: str) -> None:
    (found,) = faults_of(write(f"version: 1\nfault: {fault}\n"))
    line = 1 if text.startswith("targets") else 2
    assert found.startswith(f"x.yml:{line}: {text}")


def test_all_mistakes_are_reported_in_the_order_of_the_file(write: Write) -> None:
    text = "version: 1\nfault: drian\nduration: soon\nhypothesis:\n  never-blow: {}\nrepeat: none\n"
    lines = [int(fault.split(":")[1]) for fault in faults_of(write(text))]
    assert lines == [2, 3, 5, 6]


def test_a_duplicate_key_is_reported_at_its_second_line(write: Write) -> None:
    path = write("version: 1\nfault: drain\nduration: 1s\nduration: 2s\n")
    assert faults_of(path) == ["x.yml:4: duration: this key appears twice"]


def test_two_probes_with_one_name_are_refused(write: Write) -> None:
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
def test_invalid_yaml_is_reported_with_its_line(write: Write, text: str, line: int) -> None:
    (fault,) = faults_of(write(text))
    assert re.match(rf"x\.yml:{line}:\d+: not valid YAML: ", fault)


def test_nested_aliases_do_not_exhaust_memory(write: Write) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert "more than 100000 values" in faults_of(write("\n".join(lines)))[0]


@pytest.mark.parametrize("text", ["", "- version\n", "just words\n"])
def test_a_file_that_is_not_a_mapping_is_refused(write: Write, text: str) -> None:
    (fault,) = faults_of(write(text))
    assert "must be a mapping of keys" in fault


def test_a_file_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load(tmp_path / "none.yml")
    (tmp_path / "bin.yml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not text in UTF-8"):
        load(tmp_path / "bin.yml")


def test_run_reports_the_mistakes_of_a_file(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = write("version: 1\nfault: drian\n")
    assert main(["chaos", "run", str(bad)]) == Exit.USAGE
    assert f"{bad}:2: fault: unknown fault drian" in capsys.readouterr().err
