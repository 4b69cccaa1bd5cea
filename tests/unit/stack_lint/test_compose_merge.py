"""Several files of one stack are merged as docker 28.2.2 merges them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from swarmctl.stack.compose import acceptance
from swarmctl.stack.compose import document as yamldoc
from swarmctl.stack.compose.merge import Merged, merge
from swarmctl.stack.compose.origins import Place
from tests.unit.stack_lint.lint_corpus import docker_has_stack_config

ENV_FILES = {"a.env": b"A=file\nB=file\n", "b.env": b"B=other\nC=\nSHELL\n"}


def merged(*texts: str, **environment: str) -> Merged:
    def read_file(name: str) -> bytes | None:
        return ENV_FILES.get(name)

    documents = [yamldoc.load(text.encode()) for text in texts]
    loaded = [acceptance.load(document, environment, read_file) for document in documents]
    return merge([each.config for each in loaded], environment, read_file)


def service(*texts: str, **environment: str) -> dict[str, Any]:
    files = [f"services: {{a: {{{text}}}}}" for text in texts]
    found: dict[str, Any] = merged(*files, **environment).config["services"]["a"]
    return found


# What each of two files says of a service, and what becomes of it.
CASES = [
    ("image: 'x:1', tty: true", "image: 'x:2'", {"image": "x:2", "tty": True}),
    ("tty: true, user: root", "tty: false, user: ''", {"tty": True, "user": "root"}),
    ("deploy: {replicas: 3}", "deploy: {replicas: 0}", {"deploy": {"replicas": 0}}),
    ("stop_grace_period: 5s", "stop_grace_period: 0s", {"stop_grace_period": "5s"}),
    ("command: a b", "command: [c]", {"command": ["c"]}),
    ("command: a b", "command: []", {"command": "a b"}),
    ("dns: '1.1.1.1'", "dns: ['1.1.1.1', '8.8.8.8']", {"dns": ["1.1.1.1", "8.8.8.8"]}),
    ("environment: {A: x, B: ''}", "environment: [A=, B=y, C=z]",
     {"environment": {"A": "x", "B": "y", "C": "z"}}),
    ("labels: {a: b}", "labels: ['a=', c=d]", {"labels": {"a": "", "c": "d"}}),
    ("env_file: a.env, environment: {B: own}", "env_file: [b.env]",
     {"env_file": ["a.env", "b.env"], "environment": {"A": "file", "B": "other", "C": ""}}),
    ("ports: ['80:80', '443:443']", "ports: ['80:8080']", {"ports": ["80:8080", "443:443"]}),
    ("ports: ['81-82:1-2']", "ports: ['81:9']", {"ports": ["81:9", "82:2/tcp"]}),
    ("ports: ['53:53', '53:53/udp']", "tty: true", {"ports": ["53:53/udp"], "tty": True}),
    ("volumes: ['vol:/data', '/b']", "volumes: [{type: tmpfs, target: /data}]",
     {"volumes": ["/b", {"type": "tmpfs", "target": "/data"}]}),
    ("secrets: [t, s]", "secrets: [{source: s, mode: 256}]",
     {"secrets": [{"source": "s", "mode": 256}, "t"]}),
    ("networks: [m, n]", "networks: {m: {aliases: [x]}, n: null}",
     {"networks": {"m": {"aliases": ["x"]}, "n": None}}),
    ("logging: {driver: d, options: {a: b}}", "logging: {options: {c: d}}",
     {"logging": {"driver": "d", "options": {"a": "b", "c": "d"}}}),
    ("logging: {driver: d, options: {a: b}}", "logging: {driver: e}", {"logging": {"driver": "e"}}),
    ("ulimits: {nofile: 3, nproc: 1}", "ulimits: {nofile: {soft: 1, hard: 2}}",
     {"ulimits": {"nofile": {"soft": 1, "hard": 2}, "nproc": 1}}),
    ("healthcheck: {test: a}", "healthcheck: {test: b}",
     {"healthcheck": {"test": ["CMD-SHELL", "a", "CMD-SHELL", "b"]}}),
    ("extra_hosts: {h: '1.1.1.1'}", "extra_hosts: ['k:1.1.1.2']",
     {"extra_hosts": ["h:1.1.1.1", "k:1.1.1.2"]}),
    ("build: .", "build: {args: {a: b}}", {"build": {"context": ".", "args": {"a": "b"}}}),
]  # fmt: skip


@pytest.mark.parametrize(("base", "override", "expected"), CASES)
def test_a_service_of_two_files_is_merged(
    base: str, override: str, expected: dict[str, Any], tmp_path: Path
) -> None:
    assert service(base, override) == expected
    if docker_has_stack_config():
        files = [f"services: {{a: {{{text}}}}}" for text in (base, override)]
        ours = docker_reads(tmp_path, merged(*files).text())
        assert without_repeats(docker_reads(tmp_path, *files)) == ours


def docker_reads(folder: Path, *texts: str) -> Any:
    for name, data in ENV_FILES.items():
        (folder / name).write_bytes(data)
    options = []
    for number, text in enumerate(texts):
        (folder / f"{number}.yml").write_text(text)
        options += ["-c", str(folder / f"{number}.yml")]
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = ["docker", "stack", "config", *options]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return yaml.safe_load(done.stdout)


def without_repeats(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_repeats(item) for key, item in value.items()}
    if isinstance(value, list) and "CMD-SHELL" not in value:
        return [item for index, item in enumerate(value) if item not in value[:index]]
    return value


def test_a_variable_without_a_value_is_taken_from_the_shell() -> None:
    found = service("environment: {A: x}", "environment: [A]", A="shell")
    assert found["environment"] == {"A": "shell"}


def test_networks_and_volumes_are_replaced_as_a_whole() -> None:
    base = "services: {}\nvolumes: {v: {driver: d, labels: {a: b}}, w: {}}"
    assert merged(base, "volumes: {v: {driver: e}}").config["volumes"] == {
        "v": {"driver": "e"},
        "w": {},
    }


def test_each_value_is_found_in_the_file_that_it_is_from() -> None:
    origins = merged(
        "services: {a: {image: x, tty: true, ports: ['443:443', '80:80']}}",
        "services: {a: {image: y, ports: ['81:81']}, b: {image: z}}",
    ).origins
    a = ("services", "a")
    assert origins.of((*a, "image")) == Place(1, (*a, "image"))
    assert origins.of((*a, "tty")) == Place(0, (*a, "tty"))
    ports = [origins.of((*a, "ports", index)) for index in range(3)]
    assert ports == [
        Place(0, (*a, "ports", 1)),
        Place(1, (*a, "ports", 0)),
        Place(0, (*a, "ports", 0)),
    ]
    assert origins.of(("services", "b", "image")) == Place(1, ("services", "b", "image"))


def test_a_dollar_survives_the_way_back_to_docker() -> None:
    text = merged("services: {a: {image: 'x$$y'}}", "services: {}").text()
    assert "x$$y" in text
