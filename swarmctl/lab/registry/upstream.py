"""The docker-registry behind the gateway, which keeps layers and manifests. Bodies are streamed."""

from __future__ import annotations

import contextlib
import http.client
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from swarmctl.lab.registry.registry_error import RegistryError, broken_off, unavailable

BLOCK = 1 << 18  # bytes
TIMEOUT = 60.0  # seconds without a byte
SHORT = 10.0  # the same while the API waits, too
# https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1
_OF_THE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade"}
# A header, and its name in WSGI.
_PASSED_ON = {
    "Accept": "HTTP_ACCEPT",
    "Content-Length": "CONTENT_LENGTH",
    "Content-Range": "HTTP_CONTENT_RANGE",
    "Content-Type": "CONTENT_TYPE",
    "Range": "HTTP_RANGE",
}


class Answer:
    """An answer whose body is read block by block; WSGI closes it."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        """Wait for the head of the answer."""
        self._connection = connection
        self._response = connection.getresponse()
        self.status = self._response.status

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Those that concern the client."""
        given = self._response.getheaders()
        return [(name, value) for name, value in given if name.lower() not in _OF_THE_CONNECTION]

    def __iter__(self) -> Iterator[bytes]:
        """The blocks of the body."""
        return iter(lambda: self._response.read(BLOCK), b"")

    def send(self, start_response: Any) -> Iterable[bytes]:
        """Pass the answer on (WSGI)."""
        start_response(f"{self.status} {self._response.reason}", self.headers)
        return self

    def close(self) -> None:
        """Called by the WSGI server, also when the client has gone."""
        self._connection.close()


class Upstream:
    """The registry at an address of this computer."""

    def __init__(self, address: str) -> None:
        """``address``: ``127.0.0.1:32770``."""
        self._address = address

    def pass_on(
        self, environ: Mapping[str, Any], path: str, seen: Callable[[bytes], None] | None = None
    ) -> Answer:
        """Send a client's request, with its body, and wait for the head of the answer.

        Args:
            environ: WSGI's.
            path: what to ask for, with the query.
            seen: called with each block of the body before it is sent; it may refuse it.

        Raises:
            RegistryError: the registry does not answer, or ``seen`` has refused.
        """
        headers = {name: str(environ[key]) for name, key in _PASSED_ON.items() if environ.get(key)}
        if not has_body(environ):
            return self._ask(str(environ["REQUEST_METHOD"]), path, headers)
        if "Content-Length" not in headers:
            headers["Transfer-Encoding"] = "chunked"
        return self._ask(
            str(environ["REQUEST_METHOD"]), path, headers, _seen(blocks(environ), seen)
        )

    def put_manifest(self, repository: str, digest: str, content: bytes, kind: str) -> Answer:
        """Store a manifest under its digest."""
        headers = {"Content-Type": kind, "Content-Length": str(len(content))}
        path = f"/v2/{repository}/manifests/{digest}"
        return self._ask("PUT", path, headers, [content], SHORT)

    def delete_manifest(self, repository: str, digest: str) -> None:
        """Delete an image; one that is not there is no error.

        Raises:
            RegistryError: the registry does not answer.
        """
        path = f"/v2/{repository}/manifests/{digest}"
        self._ask("DELETE", path, {}, timeout=SHORT).close()

    def _ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Iterable[bytes] | None = None,
        timeout: float = TIMEOUT,
    ) -> Answer:
        connection = http.client.HTTPConnection(self._address, timeout=timeout)
        chunked = "Transfer-Encoding" in headers
        try:
            # It may answer, and close the connection, before it has read all of the body.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, body, headers, encode_chunked=chunked)
            return Answer(connection)
        except RegistryError:
            connection.close()
            raise
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise unavailable(f"the registry of the lab does not answer: {error}") from error


def has_body(environ: Mapping[str, Any]) -> bool:
    """Whether a client's request (WSGI) has a body: of a known length, or chunked."""
    return bool(environ.get("CONTENT_LENGTH") or environ.get("wsgi.input_terminated"))


def blocks(environ: Mapping[str, Any]) -> Iterator[bytes]:
    """The body of a client's request (WSGI), block by block.

    Raises:
        RegistryError: the client has gone, or its length is none.
    """
    if not has_body(environ):
        return
    given = str(environ.get("CONTENT_LENGTH") or "")
    if given and not re.fullmatch(r"[0-9]{1,18}", given):
        raise broken_off()
    left = int(given) if given else None
    while left != 0:
        try:
            block: bytes = environ["wsgi.input"].read(min(BLOCK, left or BLOCK))
        except OSError as error:
            raise broken_off() from error
        if not block and left:
            raise broken_off()
        if not block:
            return
        left = None if left is None else left - len(block)
        yield block


def _seen(found: Iterable[bytes], seen: Callable[[bytes], None] | None) -> Iterator[bytes]:
    for block in found:
        if seen is not None:
            seen(block)
        yield block
