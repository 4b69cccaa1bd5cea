"""Asks the endpoints themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from swarmctl.discovery.endpoint import Endpoint
from swarmctl.http import Answer, get_or_connect

_TIMEOUT_S = 3.0
_PARALLEL = 16


def ask_endpoints(endpoints: Iterable[Endpoint]) -> Mapping[str, Answer]:
    """The answer to a request to each TCP endpoint, by its place."""
    chosen = {e.place: e.path for e in endpoints if e.protocol == "tcp"}
    if not chosen:
        return {}
    with ThreadPoolExecutor(min(_PARALLEL, len(chosen))) as pool:
        answers = pool.map(lambda place: get_or_connect(place, chosen[place], _TIMEOUT_S), chosen)
        return dict(zip(chosen, answers, strict=True))
