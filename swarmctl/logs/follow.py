"""The lines as they are written, until the caller stops."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

from swarmctl.cloud.words import CloudError
from swarmctl.errors import SwarmctlError
from swarmctl.logs.cloudwatch import Regions, events_since, line_of
from swarmctl.logs.engine import follow
from swarmctl.logs.engine import line_of as engine_line
from swarmctl.logs.frames import BrokenAnswerError
from swarmctl.logs.line import Line
from swarmctl.logs.merge import Window
from swarmctl.logs.where import Chosen, Names, Places, Source, Writer, places
from swarmctl.swarm.client import SwarmClient
from swarmctl.swarm.connect import connect
from swarmctl.swarm.model import Service, Swarm
from swarmctl.swarm.ssh import Endpoint, NotNowError

# How long a line waits for earlier ones of other nodes. The driver sends what it has every 5 s.
ENGINE_WINDOW, CLOUD_WINDOW = timedelta(seconds=1), timedelta(seconds=7)
# FilterLogEvents allows 5 calls a second in an account; an event may be found late.
_POLL_S, _LATE = 2.0, timedelta(seconds=30)
_SILENCE_S, _AGAIN_S = 30.0, 1.0
# After a change of manager, a node's lines are asked for again from so long before the last one.
_BACK = timedelta(minutes=5)
_TICK_S = 0.25
# What was seen is remembered for as long as it may be answered again.
_REMEMBERED = 100_000
# Lines that wait for a terminal that was stopped, or a slow pipe; then their sources wait.
_AHEAD = 10_000

Said = Callable[[str], None]


@dataclass
class Follower:
    """Follows services over a change of manager, of tasks and of nodes.

    Args:
        endpoints: the managers.
        regions: CloudWatch Logs.
        services: whose lines.
        chosen: which of them.
        note: told what cannot be read for the moment; once each time it begins.
    """

    endpoints: Sequence[Endpoint]
    regions: Regions
    services: Sequence[Service]
    chosen: Chosen
    note: Said
    _arrived: queue.Queue[Line] = field(default_factory=lambda: queue.Queue(_AHEAD))
    _over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _names: Names = field(default_factory=lambda: Names({}, {}, {}))
    _where: Places = field(default_factory=Places)
    _clients: dict[str, SwarmClient] = field(default_factory=dict)
    _strangers: set[str] = field(default_factory=set)
    _shown: Counter[tuple[str, datetime, str]] = field(default_factory=Counter)

    def lines(
        self, swarm: Swarm, since: datetime, shown: Sequence[Line], earliest: datetime
    ) -> Iterator[Line]:
        """The lines from a moment on, in order of time but for those that come too late.

        Args:
            swarm: a snapshot.
            since: when reading began.
            shown: what was read, which is left out.
            earliest: nothing before this; CloudWatch has some lines only after they were read.
        """
        self._learn(swarm)
        self._shown = Counter(_key(line) for line in shown if line.at >= since - _LATE)
        for service in self.services:
            if self._where.asks_nodes(service):
                _start(partial(self._engine, service, since))
        late, begun = max(since - _LATE, earliest), set[Source]()
        window = Window(CLOUD_WINDOW if self._where.sources else ENGINE_WINDOW)
        try:
            while not self._over.is_set():
                for source in {*self._where.sources} - begun:  # an update may have another driver
                    _start(partial(self._cloud, source, late))
                    begun.add(source)
                self._take(window)
                for line in window.ready(datetime.now(UTC)):
                    if self._shown[_key(line)] > 0:
                        self._shown[_key(line)] -= 1
                    else:
                        yield line
        finally:
            self.close()

    def close(self) -> None:
        """Stop all that is under way."""
        self._over.set()
        for client in list(self._clients.values()):
            client.close()

    def _take(self, window: Window) -> None:
        end = time.monotonic() + _TICK_S
        while (left := end - time.monotonic()) > 0:
            try:
                window.add(self._arrived.get(timeout=left), datetime.now(UTC))
            except queue.Empty:
                return

    def _learn(self, swarm: Swarm) -> None:
        with self._lock:
            self._names = Names.of(swarm)
            self._where = places(swarm, self.services, self.chosen)

    def _writer(self, client: SwarmClient, task_id: str, service: str) -> Writer | None:
        """Who a task is; ``None`` if its lines come from CloudWatch."""
        if task_id not in self._names.tasks and task_id not in self._strangers:
            self._learn(client.snapshot())  # it has just been made
        task = self._names.tasks.get(task_id)
        if task is None:  # the Swarm has forgotten it already
            self._strangers.add(task_id)
            return Writer(service, f"{service}.?", task_id, "")
        return None if task_id in self._where.in_cloud else self._names.writer(task)

    def _engine(self, service: Service, since: datetime) -> None:
        seen: dict[str, datetime] = {}
        fault = ""
        while not self._over.is_set():
            connected = False
            try:
                with connect(self.endpoints, request_timeout=_SILENCE_S) as client:
                    self._clients[service.id] = client
                    connected, fault = True, ""
                    had = dict(seen)  # what comes again after a change of manager
                    begin = max((since, *(at - _BACK for at in had.values())))
                    with closing(follow(client, service, begin, _SILENCE_S)) as records:
                        for record in records:
                            if record.task in had and record.at <= had[record.task]:
                                continue
                            seen[record.task] = record.at
                            writer = self._writer(client, record.task, service.name)
                            if writer and self.chosen.has(writer):
                                self._arrived.put(engine_line(writer, record))
            except NotNowError as why:  # nothing was written, or the manager is gone
                if not connected:
                    fault = self._said(str(why), fault)
                self._over.wait(_AGAIN_S)
            except (SwarmctlError, BrokenAnswerError) as why:
                fault = self._said(str(why), fault)
                self._over.wait(_AGAIN_S)

    def _cloud(self, source: Source, since: datetime) -> None:
        seen: dict[str, None] = {}
        begin, fault = since, ""
        while not self._over.is_set():
            try:
                for event in events_since(self.regions(source.region), source, begin):
                    if event.id in seen:
                        continue
                    seen[event.id] = None
                    if self.chosen.has(self._names.of_stream(event.stream, source.service)):
                        self._arrived.put(line_of(event, source, self._names))
                begin = max(begin, datetime.now(UTC) - _LATE)
                fault = ""
            except CloudError as why:
                fault = self._said(f"{source.group}: {why.message}", fault)
            while len(seen) > _REMEMBERED:
                del seen[next(iter(seen))]
            self._over.wait(_POLL_S)

    def _said(self, words: str, before: str) -> str:
        if words != before and not self._over.is_set():
            self.note(words)
        return words


def _start(job: Callable[[], None]) -> None:
    # A daemon: the process does not wait for a silent node at its end.
    threading.Thread(target=job, daemon=True).start()


def _key(line: Line) -> tuple[str, datetime, str]:
    return line.task, line.at, line.text
