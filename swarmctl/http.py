"""One HTTP request with one deadline for the whole answer.

Name resolution, connection, TLS, headers and body share it. The time-out of ``http.client`` and
``requests`` does not do that: it starts anew with every packet, so a slow answer may never end.
"""

from __future__ import annotations

import http.client
import io
import queue
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import quote, urlsplit

# A longer body is not read to its end.
BODY_LIMIT = 65536
_CHUNK = 8192
# Not percent-encoded in a path and query.
_SAFE = "!#$%&'()*+,/:;=?@[]~"


class Failure(Enum):
    """Why an answer is missing or incomplete."""

    UNREACHABLE = "no connection"
    LATE = "no whole answer within the deadline"
    BROKEN = "the connection broke, or TLS failed"
    NOT_HTTP = "the connection was accepted, but no HTTP came back"


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of one request.

    Attributes:
        seconds: until the answer was complete (a stream's headers), or the request failed.
        status: the HTTP status; ``None`` when no headers came.
        failure: ``None`` when the answer is complete.
        detail: ``HTTP 200``, or the error in a few words.
    """

    seconds: float
    status: int | None
    failure: Failure | None
    detail: str


def get(url: str, timeout_s: float, host: str = "") -> Answer:
    """Send a GET request; failures of the network or the server are in the answer, not raised.

    A body with a declared length must be complete, up to :data:`BODY_LIMIT` bytes. One without may
    be an endless stream: the answer is complete once its headers came. Redirects are not followed.
    Certificates are verified.

    Args:
        url: ``http://`` or ``https://``; a user name and password in it are not sent.
        timeout_s: seconds for the whole answer.
        host: that is asked for at the URL's address: a virtual host, whose certificate is expected.
    """
    request = _Request(url, time.monotonic(), timeout_s, host)
    try:
        failure, detail = request.send()
    except TimeoutError:
        failure, detail = Failure.LATE, f"no answer within {timeout_s:g} s"
        if request.status is not None:
            detail = f"HTTP {request.status}, no whole body within {timeout_s:g} s"
    except http.client.RemoteDisconnected:
        failure, detail = Failure.NOT_HTTP, "connection closed without an answer"
    except http.client.HTTPException as error:
        failure, detail = Failure.NOT_HTTP, f"not HTTP ({type(error).__name__})"
    except (OSError, ValueError) as error:  # ValueError: an invalid host name
        failure = Failure.BROKEN if request.connected else Failure.UNREACHABLE
        detail = reason(error)
    finally:
        request.close()
    ended = request.headers_at if request.is_stream and failure is None else time.monotonic()
    return Answer(ended - request.began, request.status, failure, detail)


def get_or_connect(place: str, path: str, timeout_s: float) -> Answer:
    """Send a GET request to ``HOST:PORT``; without a path, only open a connection."""
    if path:
        return get(f"http://{place}{path}", timeout_s)
    parts, began = urlsplit(f"//{place}"), time.monotonic()
    failure, detail = None, "connected"
    try:
        connect(parts.hostname or "", parts.port or 0, began + timeout_s).close()
    except TimeoutError:
        failure, detail = Failure.LATE, f"no answer within {timeout_s:g} s"
    except (OSError, ValueError) as error:  # ValueError: an invalid host name
        failure, detail = Failure.UNREACHABLE, reason(error)
    return Answer(time.monotonic() - began, None, failure, detail)


def connect(host: str, port: int, until: float) -> socket.socket:
    """Open a TCP connection.

    Args:
        host: name or address.
        port: TCP port.
        until: the deadline, in ``time.monotonic()`` seconds.

    Raises:
        TimeoutError: the deadline passed.
        OSError: no address accepts a connection; the error of the last one.
    """
    failed = OSError(f"no address for {host}")
    addresses = _resolve(host, port, until)
    for tried, (family, kind, protocol, _, address) in enumerate(addresses):
        sock = socket.socket(family, kind, protocol)
        try:
            # A share each: a silent address must leave time for the others.
            sock.settimeout(_left(until) / (len(addresses) - tried))
            sock.connect(address)
        except OSError as error:
            sock.close()
            failed = error
        else:
            return sock
    raise failed


def reason(error: Exception) -> str:
    """The error in a few words, without its number."""
    return (getattr(error, "strerror", None) or str(error)).lower()


def _left(until: float) -> float:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


_Addresses = Sequence[tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[object, ...]]]


def _resolve(host: str, port: int, until: float) -> _Addresses:
    """The host's addresses.

    ``getaddrinfo`` has no deadline: for a name it runs in a thread, which is abandoned when it is
    late and ends with the resolver's own time-out.
    """
    try:
        numeric = socket.AI_NUMERICHOST
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=numeric)
    except socket.gaierror:
        pass
    found: queue.SimpleQueue[_Addresses | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, ValueError) as error:
            found.put(error)

    threading.Thread(target=ask, name=f"resolve-{host}", daemon=True).start()
    try:
        result = found.get(timeout=_left(until))
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(result, Exception):
        raise result
    return result


class _Request:
    """One request under way."""

    def __init__(self, url: str, began: float, timeout_s: float, host: str) -> None:
        self.began, self.until = began, began + timeout_s
        self.is_stream, self.headers_at = False, began
        self.status: int | None = None
        self._url, self._host = url, host
        self._socket: socket.socket | None = None

    @property
    def connected(self) -> bool:
        return self._socket is not None

    def send(self) -> tuple[Failure | None, str]:
        """Send it and read the answer: the failure, if any, and the detail."""
        parts = urlsplit(self._url)
        address, secure = parts.hostname or "", parts.scheme == "https"
        host = self._host or address
        self._socket = connect(address, parts.port or (443 if secure else 80), self.until)
        if secure:
            self._socket.settimeout(_left(self.until))
            tls = ssl.create_default_context()
            self._socket = tls.wrap_socket(self._socket, server_hostname=host)
        connection = http.client.HTTPConnection(host, parts.port)
        connection.sock = _DeadlineSocket(self._socket, self.until)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"User-Agent": "swarmctl", "Connection": "close"}
        connection.request("GET", quote(path, safe=_SAFE), headers=headers)
        with connection.getresponse() as response:
            self.status, self.headers_at = response.status, time.monotonic()
            self.is_stream = response.length is None
            return self._read_body(response)

    def _read_body(self, response: http.client.HTTPResponse) -> tuple[Failure | None, str]:
        wanted = BODY_LIMIT if response.length is None else min(response.length, BODY_LIMIT)
        try:
            while wanted > 0 and (data := response.read1(min(wanted, _CHUNK))):
                wanted -= len(data)
            is_whole = wanted == 0 or self.is_stream
        except http.client.IncompleteRead:
            is_whole = False
        except TimeoutError:
            if not self.is_stream:
                raise
            is_whole = True
        answer = f"HTTP {self.status}"
        return (None, answer) if is_whole else (Failure.BROKEN, f"{answer}, the body was cut short")

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()


class _DeadlineSocket(io.RawIOBase):
    """What ``http.client`` needs of a socket, each operation bounded by one deadline."""

    def __init__(self, sock: socket.socket, until: float) -> None:
        super().__init__()
        self._sock, self._until = sock, until

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(_left(self._until))
        self._sock.sendall(data)  # its time-out is for all of the data

    def makefile(self, mode: str) -> io.BufferedReader:
        del mode
        return io.BufferedReader(self)

    def close(self) -> None:
        """Left to the request: ``http.client`` closes before the body is read."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(_left(self._until))
        return self._sock.recv_into(buffer)
