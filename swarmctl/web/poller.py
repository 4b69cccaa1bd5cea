"""One reader of the Swarm for all viewers: a thread that feeds the page.

It reads while somebody looks, and a little longer; with nobody there, it rests. When no manager
answers, the page keeps what it has and says since when.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from swarmctl.errors import SwarmctlError
from swarmctl.swarm.model import Swarm
from swarmctl.web.document import Document, document
from swarmctl.web.source import Source

# Of a core for reading: a large Swarm is read less often, unless its managers report a change. The
# page looks frozen after 5 s without a snapshot.
SHARE, LONGEST_S = 0.04, 2.0
# Read on for so long after the last viewer left: a reload must not find an old page.
LINGER_S = 15.0


@dataclass(frozen=True, slots=True)
class Reading:
    """The last snapshot, when it was taken, and what is wrong since then.

    Attributes:
        swarm: the snapshot; ``None`` until the first one.
        at: when it was taken, seconds since 1970.
        manager: who answered.
        fault: why there is no newer one; ``""`` if there is.
        failing_since: when the first attempt after it failed; 0 if none has.
    """

    swarm: Swarm | None = None
    at: float = 0.0
    manager: str = ""
    fault: str = ""
    failing_since: float = 0.0

    def status(self) -> dict[str, Any]:
        """What the page shows of it."""
        return {
            "now": time.time(),  # a page's own clock may be another
            "as_of": self.at,
            "manager": self.manager,
            "fault": self.fault,
            "failing_since": self.failing_since,
        }


def pause(interval: float, used: float) -> float:
    """Seconds from the begin of a snapshot to the next.

    Args:
        interval: that is wanted.
        used: seconds of a core that the snapshot took.
    """
    return max(interval, min(used / SHARE, LONGEST_S))


class Poller:
    """Reads the Swarm again and again.

    Args:
        source: what to read.
        publish: called from the poller's thread after each snapshot.
        tell: called with a status when there is no newer snapshot.
        wait: lets time pass, less if something has changed.
        interval: seconds from the begin of one snapshot to the next.
    """

    def __init__(
        self,
        source: Source,
        publish: Callable[[Document, Mapping[str, Any]], None],
        tell: Callable[[Mapping[str, Any]], None],
        wait: Callable[[float], None],
        interval: float,
    ) -> None:
        self._source = source
        self._publish, self._tell, self._wait = publish, tell, wait
        self._interval = interval
        self._wanted_until = 0.0
        self._attempts = 0
        self._changed = threading.Condition()
        self._over = False
        self.reading = Reading()
        self._thread = threading.Thread(target=self._run, name="poller", daemon=True)
        self._thread.start()

    def want(self) -> None:
        """Somebody looks now."""
        with self._changed:
            self._wanted_until = time.monotonic() + LINGER_S
            self._changed.notify_all()

    def fresh(self, seconds: float) -> Reading:
        """The reading of an attempt that began after this call, or what there is by then.

        Args:
            seconds: to wait at most.
        """
        self.want()
        with self._changed:
            after = self._attempts + 2  # one may be under way
            self._changed.wait_for(lambda: self._attempts >= after or self._over, seconds)
        return self.reading

    def end(self) -> None:
        """Begin no further attempt."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def close(self) -> None:
        """End, and wait for an attempt that is under way."""
        self.end()
        self._thread.join(5.0)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._over or time.monotonic() < self._wanted_until)
                if self._over:
                    return
            begin, used = time.monotonic(), time.process_time()
            self._read()
            used = time.process_time() - used
            with self._changed:
                self._attempts += 1
                self._changed.notify_all()
            rest = begin + pause(self._interval, used) - time.monotonic()
            if rest > 0:
                self._wait(rest)

    def _read(self) -> None:
        at, before = time.time(), self.reading
        try:
            swarm = self._source.snapshot()
            drawn = document(swarm, self._source.machines())
        except Exception as fault:  # noqa: BLE001  # without its reader the page would freeze for ever
            words = fault.message if isinstance(fault, SwarmctlError) else repr(fault)
            since = before.failing_since or at
            self.reading = Reading(before.swarm, before.at, before.manager, words, since)
            self._tell(self.reading.status())
            return
        self.reading = Reading(swarm, at, self._source.address)
        self._publish(drawn, self.reading.status())
