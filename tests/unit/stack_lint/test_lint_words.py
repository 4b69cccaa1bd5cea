"""What findings say: nothing that is wrong for the very file they are about."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmctl.stack.lint import engine
from swarmctl.stack.lint.source import Source
from tests.unit.stack_lint.lint_corpus import CORPUS, lint


def messages(text: str, rule: str) -> list[str]:
    source = Source("stack.yml", text.encode(), Path("/nonexistent"))
    report = engine.lint([source], {}, None)[0]
    return [f.message for f in report.findings if f.rule.id == rule]


def service(text: str) -> str:
    lines = "".join(f"    {line}\n" for line in text.splitlines())
    return f"services:\n  app:\n    image: app:1\n{lines}"


@pytest.mark.parametrize("rule", ["SW015", "SW017"])
def test_a_range_of_ports_is_one_mistake(rule: str) -> None:
    text = service('ports: ["127.0.0.1:5000-5010:5000-5010"]\ndeploy: {endpoint_mode: dnsrr}')
    assert len(messages(text, rule)) == 1


def test_an_external_volume_is_not_said_to_be_local_but_may_be_made_anew() -> None:
    text = service('volumes: ["data:/data"]') + "volumes:\n  data: {external: true}\n"
    [words] = messages(text, "SW030")
    assert "is external" in words
    assert "empty" in words


def test_a_label_is_a_pin_only_while_one_node_has_it() -> None:
    text = service(
        'volumes: ["/srv/db:/db"]\ndeploy: {placement: {constraints: [node.labels.db == true]}}'
    )
    [words] = messages(text, "SW031")
    assert "the label to only one node" in words


def test_replicas_on_labelled_nodes_are_not_pinned_to_one_of_them() -> None:
    text = service(
        'volumes: ["/srv/db:/db"]\n'
        "deploy: {replicas: 3, placement: {constraints: [node.labels.db == true]}}"
    )
    assert messages(text, "SW031") == []
    assert len(messages(text, "SW032")) == 1


def test_an_agent_on_every_node_is_not_sent_to_the_managers() -> None:
    text = service('volumes: ["/run/docker.sock:/run/docker.sock:ro"]\ndeploy: {mode: global}')
    [words] = messages(text, "SW033")
    assert "add the constraint" not in words


def test_read_only_is_not_called_a_protection_of_the_socket() -> None:
    text = service('volumes: ["/run/docker.sock:/run/docker.sock"]')
    [words] = messages(text, "SW034")
    assert "stops no request" in words


def test_attempts_of_a_global_service_are_not_called_relocations() -> None:
    text = service("deploy: {mode: global, restart_policy: {max_attempts: 3}}")
    [words] = messages(text, "SW041")
    assert "relocations" not in words


def test_memory_in_an_unset_variable_is_not_said_to_be_missing() -> None:
    text = service(
        "deploy: {resources: {limits: {memory: $LIMIT}, reservations: {memory: $RESERVED}}}"
    )
    assert messages(text, "SW044") == []
    assert messages(text, "SW045") == []
    assert len(messages(text, "SW009")) == 2


def test_one_service_wants_a_port_and_two_want_it() -> None:
    report = lint(CORPUS / "swarm_capacity.yml", CORPUS / "swarm.json")
    for words in (f.message for f in report.findings if f.rule.id == "SW053"):
        assert (" want port" in words) == ("' and '" in words)
