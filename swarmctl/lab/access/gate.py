"""The door of the lab's AWS API: it lets in requests signed with a key of this lab, and no other.

Whoever may call RunInstances may run programs as root in a container with many capabilities. Every
local user and every page in a browser can reach a port on loopback, so the lab checks what AWS
checks (Signature Version 4) and refuses everything that comes from a browser.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

from swarmctl.lab.access.api_error import ApiError, answer
from swarmctl.lab.access.call import Call, read_call
from swarmctl.lab.access.keys import Key, KeyRing

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]
Serve = Callable[[dict[str, Any], Any, Key, Call], Iterable[bytes]]

MAX_BODY = 4 << 20  # bytes; a request to EC2 has at most some tens of kilobytes
MAX_SKEW = timedelta(minutes=15)  # as on AWS

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>[^/,\s]+)/(?P<date>\d{8})/(?P<region>[a-z0-9-]{1,64})"
    r"/(?P<service>[a-z0-9-]{1,64})/aws4_request, ?SignedHeaders=(?P<headers>[a-z0-9;-]+), ?"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)
_NEW_KEY = 'get the key of this lab: eval "$(swarmctl lab env)"'


class Gate:
    """Passes on the requests that may enter, and answers the others with 403."""

    def __init__(self, inner: Serve, hosts: Callable[[], Collection[str]], keys: KeyRing) -> None:
        """Store what a request is checked against.

        Args:
            inner: the application behind the gate; it may raise ``ApiError``.
            hosts: the values of ``Host`` that a request may have.
            keys: the keys that are accepted.
        """
        self._inner = inner
        self._hosts = hosts
        self._keys = keys

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request (WSGI)."""
        service = ""
        try:
            self._refuse_browsers(environ)
            body = _body(environ)
            given = _authorization(environ)
            service = given["service"]
            key = self._require_signature(environ, given, body)
            environ["wsgi.input"] = io.BytesIO(body)
            call = read_call(environ, body, service, given["region"])
            environ.pop("HTTP_USER_AGENT", None)  # moto prefers its region to the signed one
            return self._inner(environ, start_response, key, call)
        except ApiError as error:
            as_json = "HTTP_X_AMZ_TARGET" in environ
            return answer(start_response, error, service, as_json=as_json)

    def _refuse_browsers(self, environ: Mapping[str, Any]) -> None:
        # A browser sends one of the first two with every request that a page can make it send, and
        # a foreign Host when a name of the page's own has been pointed at loopback.
        for name in ("Origin", "Sec-Fetch-Site"):
            if f"HTTP_{name.upper().replace('-', '_')}" in environ:
                raise ApiError("AccessDenied", f"requests from a browser ({name}) are refused")
        host = environ.get("HTTP_HOST", "")
        if host not in self._hosts():
            raise ApiError("AccessDenied", f"the lab does not serve the host {host!r}")
        if environ["PATH_INFO"].startswith("/moto-api"):
            raise ApiError("AccessDenied", "this part of moto is closed")

    def _require_signature(
        self, environ: Mapping[str, Any], given: re.Match[str], body: bytes
    ) -> Key:
        """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html"""
        key = self._keys.find(given["id"])
        if key is None:
            raise ApiError("AuthFailure", f"the access key is not that of this lab; {_NEW_KEY}")
        names = given["headers"].split(";")
        headers = {name: _header(environ, name) for name in names}
        when = headers.get("x-amz-date", "")
        if "host" not in names or not _recent(when, given["date"]):
            raise ApiError(
                "RequestExpired", f"host and an x-amz-date of the last {MAX_SKEW} must be signed"
            )
        digest = environ.get("HTTP_X_AMZ_CONTENT_SHA256")
        if digest not in (None, hashlib.sha256(body).hexdigest()):
            raise ApiError("SignatureDoesNotMatch", "the whole body must be signed")
        request = AWSRequest(
            environ["REQUEST_METHOD"], f"http://{headers['host']}{_path(environ)}", headers, body
        )
        request.context["timestamp"] = when
        signer = _Signer(Credentials(key.id, key.secret), given["service"], given["region"])
        text = signer.string_to_sign(request, signer.canonical_request(request))
        if not hmac.compare_digest(signer.signature(text, request), given["signature"]):
            raise ApiError("SignatureDoesNotMatch", f"the signature is wrong; {_NEW_KEY}")
        token = _header(environ, "x-amz-security-token")
        if not hmac.compare_digest(token.encode(), key.token.encode()):
            raise ApiError("InvalidClientTokenId", "the session token is not that of the key")
        if self._keys.expired(key):
            raise ApiError("ExpiredToken", "the role's key has expired; ask the metadata again")
        return key


def _authorization(environ: Mapping[str, Any]) -> re.Match[str]:
    given = _AUTHORIZATION.fullmatch(environ.get("HTTP_AUTHORIZATION", ""))
    if given is None:
        raise ApiError(
            "MissingAuthenticationToken",
            f"a header Authorization with an AWS4-HMAC-SHA256 signature is required; {_NEW_KEY}",
        )
    return given


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
    digits = re.fullmatch(r"[0-9]{1,7}", length)
    if environ.get("HTTP_TRANSFER_ENCODING") or not digits or int(length) > MAX_BODY:
        raise ApiError("InvalidRequest", f"a request has at most {MAX_BODY} bytes, not chunked")
    return bytes(environ["wsgi.input"].read(int(length)))
