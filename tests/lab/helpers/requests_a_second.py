"""A user who sends requests at a steady rate, each on a new connection, and never tries again."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

TIMEOUT_S = 10.0


@dataclass
class Requests:
    """What became of them.

    Attributes:
        sent: how many.
        lost: for each that failed, the time (UTC) and why.
    """

    sent: int = 0
    lost: list[str] = field(default_factory=list)

    def send(self, host: str, path: str, port: int = 80) -> None:
        """Send one; a status of 400 or more is lost, too."""
        began = time.time()
        try:
            connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            connection.close()
            problem = f"status {answer.status}" if answer.status >= 400 else ""
        except (OSError, http.client.HTTPException) as fault:
            problem = repr(fault)
        if problem:
            clock = time.strftime("%H:%M:%S", time.gmtime(began))
            self.lost.append(f"{clock}.{began % 1 * 1000:03.0f} {problem}")


@contextmanager
def requests_a_second(host: str, path: str, rate: float, port: int = 80) -> Iterator[Requests]:
    """Send them until the block ends; at its end, all of them have been answered or are lost.

    Args:
        host: an address.
        path: of each request.
        rate: requests a second.
        port: at that address.
    """
    found, stop = Requests(), threading.Event()

    def send_all() -> None:
        began, under_way = time.monotonic(), list[threading.Thread]()
        while not stop.wait(max(0.0, began + found.sent / rate - time.monotonic())):
            one = threading.Thread(target=found.send, args=(host, path, port), daemon=True)
            one.start()
            found.sent += 1
            under_way = [each for each in under_way if each.is_alive()] + [one]
        for each in under_way:
            each.join(TIMEOUT_S + 1)

    sender = threading.Thread(target=send_all, daemon=True)
    sender.start()
    try:
        yield found
    finally:
        stop.set()
        sender.join(2 * TIMEOUT_S)
