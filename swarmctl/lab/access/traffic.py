"""The traffic of the lab's API: what is counted, limited, and made to fail on request."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from swarmctl.lab.access.api_error import ApiError
from swarmctl.lab.access.call import Call
from swarmctl.lab.access.keys import Key
from swarmctl.lab.access.rates import bucket, failed, throttled

CONTROL = "swarmctl-lab"  # the service that the operator signs for to read or change the traffic
# That clients of the lab call, as policies name them.
SERVICES = (
    "acm",
    "ec2",
    "ecr",
    "elasticloadbalancing",
    "iam",
    "logs",
    "registry",  # of ECR: what Docker asks, apart from the API
    "route53",
    "servicediscovery",
    "sts",
)
LONGEST_FAULT = 24 * 3600.0  # seconds
_MOST_BUCKETS = _MOST_ROWS = 10_000
_PASSED = "passed"


@dataclass(frozen=True, slots=True)
class Fault:
    """A time in which calls fail: with a status of HTTP, or (0) as if a limit were reached."""

    status: int
    until: float
    service: str  # as a policy names it, "" for all

    def concerns(self, call: Call) -> bool:
        """Whether the call fails."""
        return self.service in ("", call.service)


class Traffic:
    """Counts all calls, and refuses those above a limit or in a fault. For several threads."""

    def __init__(self, *, limited: bool, now: Callable[[], float] = time.monotonic) -> None:
        """``limited``: whether AWS's limits of calls a second hold."""
        self._limited = limited
        self._now = now
        self._since = now()
        self._lock = threading.Lock()
        self._calls: Counter[tuple[str, str, str]] = Counter()  # caller, action, outcome
        self._buckets: dict[tuple[str, str], tuple[float, float]] = {}  # calls left, and when
        self._fault: Fault | None = None

    def admit(self, key: Key, call: Call) -> None:
        """Let a call pass.

        Raises:
            ApiError: a fault is under way, or a limit is reached.
        """
        with self._lock:
            error = self._failure(call)
            if error is None and self._limited and not self._take(call):
                error = throttled(call)
            self._count(key, call, _PASSED if error is None else error.code)
        if error is not None:
            raise error

    def deny(self, key: Key, call: Call, error: ApiError) -> None:
        """Note that a call which was let pass has been refused by a policy."""
        with self._lock:
            self._count(key, call, _PASSED, -1)
            self._count(key, call, error.code)

    def control(self, key: Key, call: Call) -> Mapping[str, Any]:
        """Answer a request of the operator about the traffic itself.

        Raises:
            ApiError: it is not the operator's, or makes no sense.
        """
        if key.limited:
            raise ApiError("AccessDeniedException", "only the operator may ask this")
        if call.action == "ListCalls":
            return self._listed()
        if call.action == "SetFault":
            return self._set_fault(call.parameters)
        raise ApiError("UnknownOperationException", f"there is no {call.action}", 400)

    def _count(self, key: Key, call: Call, outcome: str, number: int = 1) -> None:
        caller = key.limited or "operator"
        row = (caller, call.name, outcome)
        if row not in self._calls and len(self._calls) >= _MOST_ROWS:  # names are the caller's
            row = (caller, "others", outcome)
        self._calls[row] += number

    def _failure(self, call: Call) -> ApiError | None:
        fault = self._fault
        if fault is None or self._now() >= fault.until or not fault.concerns(call):
            return None
        return failed(call, fault.status) if fault.status else throttled(call)

    def _take(self, call: Call) -> bool:
        """Take a token from the call's bucket, if it has one."""
        name, rate = bucket(call)
        now, where = self._now(), (call.region, name)
        left, then = self._buckets.get(where, (rate.capacity, now))
        left = min(rate.capacity, left + (now - then) * rate.refill)
        if len(self._buckets) >= _MOST_BUCKETS:  # names are the caller's
            self._buckets.clear()
        self._buckets[where] = (left - 1 if left >= 1 else left), now
        return left >= 1

    def _listed(self) -> Mapping[str, Any]:
        with self._lock:
            rows = [
                {"Caller": caller, "Action": action, "Outcome": outcome, "Calls": number}
                for (caller, action, outcome), number in sorted((+self._calls).items())
            ]
            return {"Seconds": self._now() - self._since, "Calls": rows}

    def _set_fault(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        status, seconds = asked.get("Status"), asked.get("Seconds")
        if not isinstance(status, int) or status not in (0, *range(500, 600)):
            raise ApiError("ValidationException", "Status is 0 or an error of the server", 400)
        if not isinstance(seconds, int | float) or not 0 <= seconds <= LONGEST_FAULT:
            raise ApiError("ValidationException", f"Seconds is at most {LONGEST_FAULT:.0f}", 400)
        service = asked.get("Service") or ""
        if service not in ("", *SERVICES):
            raise ApiError("ValidationException", f"Service is one of {', '.join(SERVICES)}", 400)
        fault = Fault(status, self._now() + seconds, service)
        with self._lock:
            self._fault = fault
        return {}
