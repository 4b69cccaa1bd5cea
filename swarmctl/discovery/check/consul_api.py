"""Asks the Consul API of an agent."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import requests

from swarmctl.discovery.check.source import Places, Published
from swarmctl.discovery.listeners.sockets import Place

_TIMEOUT_S, _FIND_TIMEOUT_S = 3.0, 1.0


@dataclass
class ConsulApi:
    """See :class:`swarmctl.discovery.check.source.Source`.

    While the agent's index is the same, a question is one request.
    """

    place: Place
    name: str = "Consul API"
    every_s: float = 0.1
    _index: str = ""
    _places: Places = field(default_factory=dict)

    def members(self) -> frozenset[str]:
        """The names of the nodes that its agent knows; none if no agent is there."""
        try:
            with requests.Session() as session:
                session.trust_env = False  # no proxy
                url = f"http://{self.place}/v1/agent/members"
                found = session.get(url, timeout=_FIND_TIMEOUT_S)
                found.raise_for_status()
                return frozenset(str(member["Name"]) for member in found.json())
        except (requests.exceptions.RequestException, ValueError, KeyError, TypeError):
            return frozenset()

    def ask(self, names: Collection[str]) -> Published:
        """What it names; it lists its names itself."""
        del names
        base = f"http://{self.place}/v1"
        try:
            with requests.Session() as session:
                session.trust_env = False  # no proxy
                listed = session.get(f"{base}/catalog/services", timeout=_TIMEOUT_S)
                listed.raise_for_status()
                index = listed.headers.get("X-Consul-Index", "")
                if not index or index != self._index:
                    self._places = {
                        str(name): _places(
                            session.get(f"{base}/health/service/{name}?passing", timeout=_TIMEOUT_S)
                        )
                        for name in listed.json()
                    }
                    self._index = index
        except (requests.exceptions.RequestException, ValueError, KeyError, TypeError) as fault:
            return Published(self.name, fault=unusable(self.place, type(fault).__name__))
        lost = listed.headers.get("X-Consul-KnownLeader") == "false"
        # Without its age: two readings say the same then, as they must for it to count.
        stale = "no manager answers it: it serves what was known last"
        return Published(self.name, self._places, stale if lost else "")


def unusable(place: Place, reason: str) -> str:
    """Why an agent cannot be asked."""
    return f"cannot be used at {place} ({reason}): does `swarmctl discovery run` run there?"


def _places(answer: requests.Response) -> frozenset[str]:
    answer.raise_for_status()
    return frozenset(
        str(Place(entry["Service"]["Address"], entry["Service"]["Port"])) for entry in answer.json()
    )
