"""The real world behind the seams: managers and nodes over SSH."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import TypeVar

import docker.errors

from swarmctl.chaos.world.protocols import Forecast
from swarmctl.errors import SwarmctlError
from swarmctl.prediction import Bounds
from swarmctl.prediction import request as predict
from swarmctl.reading.times import time_or_none
from swarmctl.swarm.client import Endpoint, Failover, SwarmClient
from swarmctl.swarm.engine import Engine, SwarmEngine
from swarmctl.swarm.model import Swarm

T = TypeVar("T")

# A run is about to begin, and its journal is to stay readable: a second or two of searching, and no
# thousands of outcomes. `swarmctl chaos predict` searches on.
_BOUNDS = Bounds(outcomes=1_000, work=40_000, draws=500)


class LiveManagers:
    """The Swarm through whichever of its managers answers.

    Args:
        endpoints: the managers.
    """

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        """Connects at the first question."""
        self._endpoints = tuple(endpoints)
        self._failover = Failover(self._endpoints)

    @property
    def address(self) -> str:
        """The manager that answered last."""
        return self._failover.address

    def snapshot(self) -> Swarm:
        """Everything the managers know now."""
        return self._ask(SwarmClient.snapshot)

    def now(self) -> datetime:
        """The clock of the manager that answers."""
        stamp = self._ask(lambda client: str(client.ask(client.docker.info)["SystemTime"]))
        moment = time_or_none(stamp)
        if moment is None:
            raise SwarmctlError(f"{self.address}: the Engine says the time is {stamp!r}")
        return moment

    def forecast(self, lost: Collection[str]) -> Forecast | None:
        """What will happen when these nodes are lost."""
        raw = self._ask(predict.take_snapshot)
        snapshot = predict.read_snapshot(raw, self.address)
        return predict.as_json(*predict.predict(snapshot, lost, _BOUNDS))

    @property
    def engine(self) -> Engine:
        """Plain requests; like all questions, to other managers after :meth:`avoid`."""
        return SwarmEngine(self._failover)

    def avoid(self, addresses: Collection[str]) -> None:
        """From now on ask other managers than these, as far as there are others."""
        others = tuple(e for e in self._endpoints if e.address not in addresses)
        if others and others != self._endpoints:
            self._endpoints = others
            self._failover.only(others)

    def close(self) -> None:
        """End the connection."""
        self._failover.close()

    def _ask(self, question: Callable[[SwarmClient], T]) -> T:
        try:
            return self._failover.ask(question)
        except docker.errors.APIError as error:  # "context deadline exceeded" in an election
            raise SwarmctlError(f"{self.address}: {error.explanation or error}") from error
