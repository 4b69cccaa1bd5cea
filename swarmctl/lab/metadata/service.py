"""The metadata service as a WSGI application: session tokens (IMDSv2), then pages.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
"""

from __future__ import annotations

import re
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from swarmctl.lab.access.keys import Key
from swarmctl.lab.metadata.facts import Facts
from swarmctl.lab.metadata.tree import page

LONGEST = 21600  # seconds that a session token may last
MOST_TOKENS = 1000  # older ones are forgotten
_TTL = "X-Aws-Ec2-Metadata-Token-Ttl-Seconds"
_DEFAULT_HOPS = 64


class MetadataService:
    """Answers the machines of one VPC; it knows them by their source addresses."""

    def __init__(
        self,
        instance_at: Callable[[str], Facts | None],
        key_of: Callable[[Facts], Key],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Store where answers come from.

        Args:
            instance_at: private address → the instance that has it.
            key_of: the current key of an instance's role.
            now: seconds on a clock that never goes back.
        """
        self._instance_at = instance_at
        self._key_of = key_of
        self._now = now
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[str, float]] = {}  # instance id and end, by token

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        facts = self._instance_at(str(environ["REMOTE_ADDR"]))
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        headers: list[tuple[str, str]] = []
        if facts is None or not facts.enabled:
            status, body = HTTPStatus.FORBIDDEN, ""
        elif method == "PUT" and path.rstrip("/") == "/latest/api/token":
            _answer_within(environ, facts.hop_limit)
            status, body, headers = self._token(environ, facts)
        elif method not in ("GET", "HEAD"):
            status, body = HTTPStatus.METHOD_NOT_ALLOWED, ""
        elif not self._admitted(environ, facts):
            status, body = HTTPStatus.UNAUTHORIZED, ""
        else:
            _answer_within(environ, _DEFAULT_HOPS)
            found = page(facts, path, lambda: self._key_of(facts))
            status = HTTPStatus.NOT_FOUND if found is None else HTTPStatus.OK
            body = found or ""
        content = body.encode()
        headers += [("Content-Type", "text/plain"), ("Content-Length", str(len(content)))]
        start_response(f"{status.value} {status.phrase}", headers)
        return [content]

    def _token(
        self, environ: dict[str, Any], facts: Facts
    ) -> tuple[HTTPStatus, str, list[tuple[str, str]]]:
        if "HTTP_X_FORWARDED_FOR" in environ:  # an open proxy on the machine must get none
            return HTTPStatus.FORBIDDEN, "", []
        asked = environ.get(f"HTTP_{_TTL.upper().replace('-', '_')}", "")
        if not (re.fullmatch(r"[0-9]{1,5}", asked) and 1 <= int(asked) <= LONGEST):
            return HTTPStatus.BAD_REQUEST, "", []
        token, now = secrets.token_urlsafe(42), self._now()
        with self._lock:
            live = [(t, v) for t, v in self._tokens.items() if v[1] > now]
            self._tokens = dict(live[-MOST_TOKENS:])
            self._tokens[token] = (facts.id, now + int(asked))
        return HTTPStatus.OK, token, [(_TTL, asked)]

    def _admitted(self, environ: dict[str, Any], facts: Facts) -> bool:
        token = environ.get("HTTP_X_AWS_EC2_METADATA_TOKEN")
        if token is None:
            return not facts.tokens_required
        with self._lock:
            owner, end = self._tokens.get(token, ("", 0.0))
        return owner == facts.id and self._now() < end


def _answer_within(environ: dict[str, Any], hops: int) -> None:
    """Let the answer pass so many routers: with 1, no container that is behind the machine's."""
    connection = environ.get("werkzeug.socket")
    if connection is not None:
        connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, max(1, min(hops, 64)))
