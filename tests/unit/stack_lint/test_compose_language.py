"""The table of the compose language: what docker 28.2.2 accepts in which version, and our words."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmctl.stack.compose import acceptance
from swarmctl.stack.compose import document as yamldoc
from tests.unit.stack_lint.lint_corpus import docker_accepts, docker_has_stack_config

S = "services: {a: {image: i, %s}}"
# A file's text, and the first version (3.N) in which docker accepts it.
SINCE = [
    ("secrets: {a: {file: f}}", 1),
    ("networks: {a: {attachable: true}}", 2),
    (S % "deploy: {endpoint_mode: vip}", 2),
    (S % "ports: [{target: 80}]", 2),
    (S % "volumes: [{type: volume, target: /a}]", 2),
    (S % "volumes: [a:/a, a:/a]", 2),
    (S % "build: {cache_from: [a]}", 2),
    ("configs: {a: {file: f}}", 3),
    (S % "credential_spec: {file: f}", 3),
    (S % "deploy: {placement: {preferences: [{spread: node.labels.az}]}}", 3),
    ("x-a: 1\nservices: {}", 4),
    ("volumes: {a: {name: b}}", 4),
    (S % "healthcheck: {start_period: 5s}", 4),
    (S % "deploy: {update_config: {order: start-first}}", 4),
    ("secrets: {a: {file: f, name: b}}", 5),
    (S % "isolation: default", 5),
    (S % "deploy: {resources: {reservations: {generic_resources: []}}}", 5),
    (S % "volumes: [{type: tmpfs, target: /a, tmpfs: {size: 1}}]", 6),
    (S % "x-a: 1", 7),
    (S % "init: true", 7),
    (S % "deploy: {rollback_config: {order: stop-first}}", 7),
    (S % "deploy: {placement: {max_replicas_per_node: 1}}", 8),
    ("configs: {a: {file: f, template_driver: golang}}", 8),
    (S % "cgroupns_mode: host", 9),
    (S % "deploy: {resources: {limits: {pids: 9}}}", 9),
    (S % "build: {context: ., ssh: [default]}", 11),
    (S % "healthcheck: {start_interval: 1s}", 12),
    (S % "oom_score_adj: 1", 13),
    (S % "networks: {a: {driver_opts: {b: c}}}", 13),
]


def refusals(text: str) -> list[str]:
    document = yamldoc.load(text.encode())
    return [r.message for r in acceptance.load(document, {}, lambda _: b"").refusals]


@pytest.mark.parametrize(("text", "first"), SINCE)
def test_a_key_is_accepted_from_its_version_on(text: str, first: int, tmp_path: Path) -> None:
    for version in {first - 1, first, 13}:
        file = f'version: "3.{version}"\n{text}\n'
        assert (not refusals(file)) is (version >= first), file
        if docker_has_stack_config():
            path = tmp_path / "docker-stack.yml"
            path.write_text(file)
            assert docker_accepts(path) is (version >= first), file


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('version: "3.3"\n' + S % "init: true", "needs version 3.7 or newer: remove the line"),
        ('version: "3.1"\n' + S % "ports: [{target: 80}]", "not a map; that needs version 3.2"),
        (S % "enviroment: {}", "did you mean 'environment'?"),
        (S % "platform: linux", "only docker compose does"),
        (S % "cpus: 2", "use deploy.resources.limits.cpus"),
        (S % "tty: 1", "must be a boolean, not the number 1"),
        (S % "depends_on: {b: {condition: c}}", "knows no conditions"),
        (S % "deploy: {update_config: {order: x}}", "must be start-first or stop-first, not 'x'"),
        (S % "dns: [a, a]", "repeats item 1"),
        (S % "ulimits: {nofile: {soft: 1}}", "the key 'hard' is missing"),
        (S % "deploy: {replicas: -1}", "-1 is negative"),
        (S % "hostname: 2001-01-01", "reads this as a time"),
        ("services: {'a b': {}}", "may only have letters"),
        ("include: [a.yml]", "call it x-include"),
        ('version: "2"', "versions 3.0 to 3.13, not '2'"),
    ],
)
def test_a_refusal_says_what_is_allowed(text: str, words: str) -> None:
    [message] = refusals(text)
    assert words in message
