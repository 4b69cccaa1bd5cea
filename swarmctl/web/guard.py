"""Who may read the page, and what a browser may do with it."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Everything comes from here, nothing is evaluated, nobody frames it.
# https://developer.mozilla.org/docs/Web/HTTP/Headers/Content-Security-Policy
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
USER = "swarm"
# A wrong password is answered late, and only so many at once: ten guesses a second at most. Whoever
# has the right one is not kept waiting.
LATE_S = 1.0
_GUESSES = 10


class Guard:
    """Reads only, with a password or from this machine alone.

    Args:
        app: what is guarded.
        password: of the user ``swarm``; ``""`` for none.
        loopback: whether only this machine can connect. Then a name that is not its own is refused:
            a page elsewhere can point a name at loopback, and read what it answers.
    """

    def __init__(self, app: ASGIApp, *, password: str, loopback: bool) -> None:
        self._app, self._loopback = app, loopback
        self._expected = base64.b64encode(f"{USER}:{password}".encode()) if password else b""
        self._guesses = 0  # wrong passwords that are not answered yet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        response = self._refusal(scope["method"], scope["path"], headers)
        if response and response.status_code == 401 and _given(headers):
            response = await self._late(response)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        await (response or self._app)(scope, receive, send_with_headers)

    def _refusal(self, method: str, path: str, headers: Headers) -> Response | None:
        if method not in ("GET", "HEAD"):
            return Response("this page is read-only", 405, {"Allow": "GET, HEAD"})
        if path == "/health":  # what a load balancer asks; it says nothing of the Swarm
            return None
        if self._loopback and not _own_name(headers.get("host", "")):
            return Response("this page is served to 127.0.0.1, ::1 and localhost only", 403)
        if _from_elsewhere(headers):
            return Response("pages of other sites get nothing from here", 403)
        if self._expected and not hmac.compare_digest(_given(headers), self._expected):
            return Response(
                f"the user is {USER}, the password was given to swarmctl web",
                401,
                {"WWW-Authenticate": 'Basic realm="swarmctl", charset="UTF-8"'},
            )
        return None

    async def _late(self, response: Response) -> Response:
        if self._guesses >= _GUESSES:
            return Response("too many wrong passwords", 429, {"Retry-After": f"{LATE_S:g}"})
        self._guesses += 1
        try:
            await asyncio.sleep(LATE_S)
        finally:
            self._guesses -= 1
        return response


def _from_elsewhere(headers: Headers) -> bool:
    """Whether a page of another site asks: it could not read the answer, but let us work for it.

    A link to here is no such thing. https://developer.mozilla.org/docs/Web/HTTP/Headers/Sec-Fetch-Site
    """
    site, mode = headers.get("sec-fetch-site", "none"), headers.get("sec-fetch-mode", "")
    return site not in ("none", "same-origin") and mode != "navigate"


def _given(headers: Headers) -> bytes:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:  # decoded and encoded again: there are several ways to write the same
        return base64.b64encode(base64.b64decode(value.strip(), validate=True))
    except (binascii.Error, ValueError):
        return b""


def _own_name(host: str) -> bool:
    """Whether a ``Host`` header names this machine."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
