"""A probe over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Event
from urllib.parse import urlsplit

from swarmctl import http
from swarmctl.chaos.probes.probe import ProbeAnswer, ProbeFailedError


@dataclass(frozen=True, slots=True)
class Http:
    """A GET request. See :mod:`swarmctl.http` for what a whole answer is.

    Args:
        url: ``http://`` or ``https://``; certificates are verified.
        status: what is a good answer; empty for any below ``bad_from``.
        bad_from: the lowest status that is no good one, unless ``status`` lists it.
        host: that is asked for at the URL's address, if it is another.
    """

    url: str
    status: tuple[int, ...] = ()
    host: str = ""
    bad_from: int = 500

    @property
    def address(self) -> str:
        """See :class:`Probe`."""
        parts = urlsplit(self.url)
        host = self.host or parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{host}{parts.path}"

    def run(self, timeout_s: float, stop: Event) -> ProbeAnswer:
        """See :class:`Probe`."""
        del stop
        answer = http.get(self.url, timeout_s, self.host)
        status = answer.status or 0
        good = status in self.status if self.status else status < self.bad_from
        if answer.failure or not good:
            not_http = answer.failure is http.Failure.NOT_HTTP
            bad_status = answer.failure is None
            raise ProbeFailedError(answer.detail, not_http=not_http, bad_status=bad_status)
        return ProbeAnswer(answer.detail, answer.seconds)
