"""The agent's own figures, as Prometheus reads them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from swarmctl.discovery.contact import Contact
from swarmctl.discovery.edition import Edition
from swarmctl.discovery.listeners.listener import State


def metrics(
    edition: Edition | None,
    contact: Contact,
    states: Mapping[str, State],
    calls: Mapping[str, int],
) -> str:
    """The text of ``/metrics``.

    Args:
        edition: in force.
        contact: with the managers.
        states: of the listeners, by name.
        calls: requests to AWS since the start, by operation.
    """
    endpoints = edition.catalogue.by_name() if edition else ()
    lines = [
        *_gauge("connected", "Whether a manager answers.", [("", float(not contact.lost))]),
        *_gauge("age_seconds", "Seconds since a manager's last answer.", [("", contact.age)]),
        *_gauge("index", "X-Consul-Index.", [("", float(edition.index if edition else 0))]),
        *_gauge(
            "endpoints", "Endpoints by name.",
            [(f'{{name="{name}"}}', float(len(found))) for name, found in endpoints],
        ),
        *_gauge(
            "problems", "Services or tasks that cannot be published.",
            [("", float(len(edition.catalogue.problems) if edition else 0))],
        ),
        *_gauge(
            "listener_failures", "Failures of a listener since its last success.",
            [(f'{{listener="{name}"}}', float(state.failures)) for name, state in states.items()],
        ),
        *_counter(
            "aws_calls", "Requests to AWS, repeated ones included.",
            [(f'{{operation="{name}"}}', float(count)) for name, count in sorted(calls.items())],
        ),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def _gauge(name: str, words: str, values: Iterable[tuple[str, float]]) -> list[str]:
    return _family(name, "gauge", words, values)


def _counter(name: str, words: str, values: Iterable[tuple[str, float]]) -> list[str]:
    return _family(f"{name}_total", "counter", words, values)


def _family(name: str, kind: str, words: str, values: Iterable[tuple[str, float]]) -> list[str]:
    full = f"swarmctl_discovery_{name}"
    head = [f"# HELP {full} {words}", f"# TYPE {full} {kind}"]
    return head + [f"{full}{labels} {value:.16g}" for labels, value in values]
