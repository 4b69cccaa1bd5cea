"""The Engine's events: they wake the observer for its next snapshot.

Events only say *that* a node or service changed; what is true is always read from a snapshot, so a
lost event costs at most one interval. moby emits no events for tasks, so snapshots are taken a few
times a second anyway.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import docker.errors

from swarmctl.errors import SwarmctlError
from swarmctl.swarm.client import SwarmClient
from swarmctl.swarm.connect import connect
from swarmctl.swarm.ssh import Endpoint

# A stream that says nothing for so long is opened anew: its manager may be gone.
_SILENCE_S = 30.0
_AGAIN_S = 1.0
_FILTERS = {"type": ["node", "service"]}


@dataclass
class SwarmEvents:
    """Listens to whichever manager answers, in a thread of its own.

    Args:
        endpoints: the managers.
    """

    endpoints: Sequence[Endpoint]
    _changed: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)
    _client: SwarmClient | None = None
    _thread: threading.Thread | None = None

    def wait(self, seconds: float) -> None:
        """Let time pass; less, if the managers report a change meanwhile."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._listen, daemon=True)
            self._thread.start()
        begin = time.monotonic()
        if self._changed.wait(seconds):
            self._changed.clear()
            # A burst of events is one change: wait a moment, so that it causes one snapshot.
            self._over.wait(min(0.02, max(0.0, begin + seconds - time.monotonic())))

    def close(self) -> None:
        """Stop listening."""
        self._over.set()
        client = self._client
        if client is not None:
            client.close()

    def _listen(self) -> None:
        while not self._over.is_set():
            try:
                with connect(self.endpoints, request_timeout=_SILENCE_S) as client:
                    self._client = client
                    client.ask(lambda: self._follow(client))
            # Events are optional: no error here, even a refusal by the Engine, may end the run.
            except (SwarmctlError, docker.errors.DockerException):
                self._over.wait(_AGAIN_S)

    def _follow(self, client: SwarmClient) -> None:
        if self._over.is_set():  # closed while this connection was being made
            return
        for _ in client.docker.api.events(filters=_FILTERS):
            self._changed.set()
            if self._over.is_set():
                return
