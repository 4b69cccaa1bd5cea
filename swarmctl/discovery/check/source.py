"""What names endpoints and can be asked for them: one file of this folder for each kind."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from swarmctl.discovery.endpoint import Endpoint

Places = Mapping[str, frozenset[str]]  # address:port by name


def plain_name(endpoint: Endpoint) -> tuple[str, ...]:
    """Every endpoint is under its own name."""
    return (endpoint.name,)


@dataclass(frozen=True, slots=True)
class Published:
    """What a source says.

    Attributes:
        source: its name, such as ``Consul API``.
        places: by name.
        fault: why it could not be asked, or is not up to date; ``""`` if neither.
        names: under which of its names an endpoint should be; none if not at all.
    """

    source: str
    places: Places = field(default_factory=dict)
    fault: str = ""
    names: Callable[[Endpoint], tuple[str, ...]] = field(default=plain_name, compare=False)


class Source(Protocol):
    """Something that names endpoints."""

    @property
    def name(self) -> str:
        """For people."""

    @property
    def every_s(self) -> float:
        """Seconds from one question to the next, for whoever asks again and again."""

    def ask(self, names: Collection[str]) -> Published:
        """What it says now; a failure is in the answer, not raised.

        Args:
            names: of the endpoints, for a source that cannot list its own.
        """
