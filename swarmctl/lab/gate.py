"""The door of the lab's AWS API: it lets in requests signed with the lab's own key, and no other.

Whoever may call RunInstances may run programs as root in a container with many capabilities. Every
local user and every page in a browser can reach a port on loopback, so the lab checks what AWS
checks (Signature Version 4) and refuses everything that comes from a browser.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from xml.sax.saxutils import escape

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]

MAX_BODY = 4 << 20  # bytes; a request to EC2 has at most some tens of kilobytes
MAX_SKEW = timedelta(minutes=15)  # as on AWS

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>[^/,\s]+)/(?P<date>\d{8})/(?P<region>[^/,\s]+)"
    r"/(?P<service>[^/,\s]+)/aws4_request, ?SignedHeaders=(?P<headers>[a-z0-9;-]+), ?"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)
_NEW_KEY = 'get the key of this lab: eval "$(swarmctl lab env)"'


class _RefusedError(Exception):
    """``args``: the AWS error code, and a message."""


class Gate:
    """Passes on the requests that may enter, and answers the others with 403."""

    def __init__(self, inner: Wsgi, port: Callable[[], int], key_id: str, secret: str) -> None:
        """Store what a request is checked against.

        Args:
            inner: the application behind the gate.
            port: the port served, as part of the ``Host`` of a request.
            key_id: the access key id of the lab.
            secret: its secret access key.
        """
        self._inner = inner
        self._port = port
        self._credentials = Credentials(key_id, secret)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        try:
            self._refuse_browsers(environ)
            body = _body(environ)
            self._require_signature(environ, body)
        except _RefusedError as refusal:
            return _answer(start_response, *refusal.args)
        environ["wsgi.input"] = io.BytesIO(body)
        return self._inner(environ, start_response)

    def _refuse_browsers(self, environ: Mapping[str, Any]) -> None:
        # A browser sends one of the first two with every request that a page can make it send, and
        # a foreign Host when a name of the page's own has been pointed at loopback.
        for name in ("Origin", "Sec-Fetch-Site"):
            if f"HTTP_{name.upper().replace('-', '_')}" in environ:
                raise _RefusedError("AccessDenied", f"requests from a browser ({name}) are refused")
        host, port = environ.get("HTTP_HOST", ""), self._port()
        if host not in (f"127.0.0.1:{port}", f"localhost:{port}"):
            raise _RefusedError("AccessDenied", f"the lab does not serve the host {host!r}")
        if environ["PATH_INFO"].startswith("/moto-api"):
            raise _RefusedError("AccessDenied", "this part of moto is closed")

    def _require_signature(self, environ: Mapping[str, Any], body: bytes) -> None:
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html"""
        given = _AUTHORIZATION.fullmatch(environ.get("HTTP_AUTHORIZATION", ""))
        if given is None:
            raise _RefusedError(
                "MissingAuthenticationToken",
                "a header Authorization with an AWS4-HMAC-SHA256 signature is required; "
                f"{_NEW_KEY}",
            )
        if not hmac.compare_digest(given["id"].encode(), self._credentials.access_key.encode()):
            raise _RefusedError(
                "AuthFailure", f"the access key is not that of this lab; {_NEW_KEY}"
            )
        names = given["headers"].split(";")
        headers = {name: _header(environ, name) for name in names}
        when = headers.get("x-amz-date", "")
        if "host" not in names or not _recent(when, given["date"]):
            raise _RefusedError(
                "RequestExpired", f"host and an x-amz-date of the last {MAX_SKEW} must be signed"
            )
        digest = environ.get("HTTP_X_AMZ_CONTENT_SHA256")
        if digest not in (None, hashlib.sha256(body).hexdigest()):
            raise _RefusedError("SignatureDoesNotMatch", "the whole body must be signed")
        request = AWSRequest(
            environ["REQUEST_METHOD"], f"http://{headers['host']}{_path(environ)}", headers, body
        )
        request.context["timestamp"] = when
        signer = _Signer(self._credentials, given["service"], given["region"])
        text = signer.string_to_sign(request, signer.canonical_request(request))
        if not hmac.compare_digest(signer.signature(text, request), given["signature"]):
            raise _RefusedError("SignatureDoesNotMatch", f"the signature is wrong; {_NEW_KEY}")


class _Signer(SigV4Auth):
    """Signs exactly the headers of a request, where botocore chooses among them."""

    def headers_to_sign(self, request: AWSRequest) -> HTTPHeaders:
        return request.headers


def _path(environ: Mapping[str, Any]) -> str:
    """Path and query as they were sent and signed; WSGI's ``PATH_INFO`` is decoded."""
    return str(environ["REQUEST_URI"])


def _header(environ: Mapping[str, Any], name: str) -> str:
    key = name.upper().replace("-", "_")
    plain = key in ("CONTENT_TYPE", "CONTENT_LENGTH")  # WSGI names these two without the prefix
    return str(environ.get(key if plain else f"HTTP_{key}", ""))


def _recent(when: str, date: str) -> bool:
    try:
        moment = datetime.strptime(when, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return when.startswith(date) and abs(datetime.now(UTC) - moment) <= MAX_SKEW


def _body(environ: Mapping[str, Any]) -> bytes:
    length = environ.get("CONTENT_LENGTH") or "0"
    if environ.get("HTTP_TRANSFER_ENCODING") or not length.isdecimal() or int(length) > MAX_BODY:
        raise _RefusedError(
            "InvalidRequest", f"a request has at most {MAX_BODY} bytes, not chunked"
        )
    return bytes(environ["wsgi.input"].read(int(length)))


def _answer(start_response: Any, code: str, message: str) -> Iterable[bytes]:
    """An error that botocore understands, whichever service was meant."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?><Response><Errors><Error>'
        f"<Code>{code}</Code><Message>{escape(message)}</Message>"
        "</Error></Errors><RequestID>lab</RequestID></Response>"
    ).encode()
    status = HTTPStatus.FORBIDDEN
    start_response(
        f"{status.value} {status.phrase}",
        [
            ("Content-Type", "text/xml"),
            ("Content-Length", str(len(body))),
            ("x-amzn-errortype", code),  # where a service answers in JSON
        ],
    )
    return [body]
