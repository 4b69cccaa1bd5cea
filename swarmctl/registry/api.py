"""A registry's own API: which tags and images it has.

https://distribution.github.io/distribution/spec/api/ and, for tokens, …/spec/auth/token/
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.utils import parse_dict_header

from swarmctl.errors import SwarmctlError
from swarmctl.reading.texts import one_line
from swarmctl.registry.credentials import Credentials
from swarmctl.registry.reference import DOCKER_HUB, Reference

_TIMEOUT_S = (5.0, 30.0)  # to connect, and between two packets
_LISTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_MAX_REASON = 300
_PAGES = 1000

FindCredentials = Callable[[str], Credentials | None]


class RegistryError(SwarmctlError):
    """A registry refused a request, or did not answer.

    Attributes:
        status: of HTTP; 0 when there was no answer.
    """

    def __init__(self, message: str, hint: str = "", status: int = 0) -> None:
        super().__init__(message, hint)
        self.status = status


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the registry knows of an image.

    Attributes:
        size: bytes of all layers and the configuration, compressed.
        created: when it was built; ``None`` if it does not say.
    """

    size: int
    created: datetime | None


class Registry:
    """One registry. All methods raise ``RegistryError`` when it refuses or does not answer.

    Like Docker, it uses plain HTTP only with an address of this computer's own, and trusts the
    certificates in ``/etc/docker/certs.d/HOST``.

    Args:
        host: as in an image's name, with its port.
        credentials: of it; ``None`` for a registry without authentication.
    """

    def __init__(self, host: str, credentials: Credentials | None = None) -> None:
        self.host = host
        self._credentials = credentials
        self._session = requests.Session()
        # Not from ~/.netrc: Docker does not read it either.
        self._session.auth = _no_auth
        self._session.trust_env = not is_loopback(host)  # no proxy
        self._certificates = _certificates(host) or None
        self._tokens: dict[str, str] = {}  # by scope
        self._base = ""

    def digest(self, image: Reference) -> str | None:
        """The digest of an image; ``None`` if the registry has no such image."""
        answer = self._send(
            "HEAD", image.repository, f"manifests/{image.version}", (*_LISTS, *_MANIFESTS)
        )
        if answer is None:
            return None
        if found := answer.headers.get("Docker-Content-Digest"):
            return str(found)
        raise RegistryError(f"{self.host} does not tell the digest of {image}")

    def tags(self, repository: str) -> list[str]:
        """The tags in a repository, sorted; none if there is no such repository."""
        tags: set[str] = set()
        path = "tags/list"
        for _ in range(_PAGES):
            answer = self._send("GET", repository, path, ("application/json",))
            if answer is None:
                break
            tags.update(_json(answer).get("tags") or ())
            following = answer.links.get("next", {}).get("url")
            if not following:
                break
            path = "tags/list?" + urlsplit(urljoin(answer.url, following)).query
        return sorted(tags)

    def manifest(self, repository: str, digest: str) -> Manifest | None:
        """The size and age of an image; ``None`` if it is not there.

        One of many platforms has the size of all, and the age of the newest.
        """
        answer = self._send("GET", repository, f"manifests/{digest}", (*_LISTS, *_MANIFESTS))
        found = _json(answer) if answer is not None else {}
        if "manifests" in found:
            listed = [e["digest"] for e in found["manifests"] if e.get("mediaType") in _MANIFESTS]
            parts = [part for each in listed if (part := self.manifest(repository, each))]
            times = [part.created for part in parts if part.created]
            return Manifest(sum(part.size for part in parts), max(times, default=None))
        if "config" not in found:
            return None
        size = sum(int(part["size"]) for part in (found["config"], *found["layers"]))
        config = self._send("GET", repository, f"blobs/{found['config']['digest']}", ("*/*",))
        created = _json(config).get("created") if config is not None else None
        return Manifest(size, datetime.fromisoformat(created) if created else None)

    def tag(self, image: Reference, tag: str) -> None:
        """Give an image, named by its digest or another tag, one more tag."""
        accept = (*_LISTS, *_MANIFESTS)
        found = self._send("GET", image.repository, f"manifests/{image.version}", accept)
        if found is None:
            raise RegistryError(f"{self.host} has no {image}", status=404)
        kind = found.headers.get("Content-Type", _MANIFESTS[0])
        path = f"manifests/{tag}"
        self._send("PUT", image.repository, path, ("*/*",), "pull,push", (kind, found.content))

    def delete(self, repository: str, digest: str) -> None:
        """Delete an image with all its tags; one that is gone already is no error."""
        try:
            self._send("DELETE", repository, f"manifests/{digest}", ("*/*",), "pull,delete")
        except RegistryError as fault:
            if fault.status == 405:
                raise RegistryError(
                    f"{self.host} does not allow images to be deleted",
                    "allow it in the registry's configuration: storage.delete.enabled: true",
                    405,
                ) from fault
            raise

    def _send(
        self,
        method: str,
        repository: str,
        path: str,
        accept: tuple[str, ...],
        actions: str = "pull",
        body: tuple[str, bytes] | None = None,
    ) -> requests.Response | None:
        """One request; ``None`` if what it names is not there."""
        scope = f"repository:{repository}:{actions}"
        headers = {"Accept": ", ".join(accept)}
        if token := self._tokens.get(scope):
            headers["Authorization"] = token
        url = f"/v2/{repository}/{path}"
        data = b""
        if body:
            headers["Content-Type"], data = body
        answer = self._ask(method, url, headers, data)
        if answer.status_code == 401 and (login := self._login(answer, scope)):
            self._tokens[scope] = headers["Authorization"] = login
            answer = self._ask(method, url, headers, data)
        if answer.status_code == 404 and method != "PUT":
            return None
        if answer.status_code >= 400:
            raise self._refused(answer, repository)
        return answer

    def _ask(
        self, method: str, path: str, headers: dict[str, str], data: bytes
    ) -> requests.Response:
        schemes = ("https", "http") if is_loopback(self.host) else ("https",)
        fault: Exception | None = None
        for base in (
            [self._base] if self._base else [f"{s}://{_server(self.host)}" for s in schemes]
        ):
            try:
                answer = self._session.request(
                    method,
                    f"{base}{path}",
                    headers=headers,
                    data=data,
                    timeout=_TIMEOUT_S,
                    verify=self._certificates,
                )
            except requests.RequestException as error:
                fault = fault or error
                continue
            self._base = base
            return answer
        raise RegistryError(
            f"the registry {self.host} does not answer: {_reason(fault)}",
            "is its name right, and can this machine reach it? "
            f"curl -v https://{_server(self.host)}/v2/",
        ) from fault

    def _login(self, refusal: requests.Response, scope: str) -> str:
        """The header ``Authorization`` that a refusal asks for; ``""`` without credentials."""
        kind, _, rest = refusal.headers.get("WWW-Authenticate", "").partition(" ")
        known = self._credentials
        if kind.lower() == "basic" and known and known.password:
            basic = requests.Request("GET", "http://-", auth=(known.username, known.password))
            return str(basic.prepare().headers["Authorization"])
        if kind.lower() != "bearer":
            return ""
        asked = parse_dict_header(rest)  # type: ignore[no-untyped-call]  # the stubs lack it
        query = {"service": asked.get("service") or "", "scope": scope}
        own = urlsplit(str(asked.get("realm"))).netloc == _server(self.host)
        verify = self._certificates if own else None
        try:
            if known and known.identity_token:
                form = {"grant_type": "refresh_token", "refresh_token": known.identity_token}
                answer = self._session.post(
                    str(asked["realm"]),
                    data={**form, **query, "client_id": "swarmctl"},
                    timeout=_TIMEOUT_S,
                    verify=verify,
                )
            else:
                login = (known.username, known.password) if known else None
                answer = self._session.get(
                    str(asked["realm"]),
                    params=query,
                    auth=login,
                    timeout=_TIMEOUT_S,
                    verify=verify,
                )
        except (requests.RequestException, KeyError) as fault:
            raise RegistryError(
                f"the registry {self.host} gives no token: {_reason(fault)}"
            ) from fault
        if answer.status_code >= 400:
            return ""
        found = _json(answer)
        return f"Bearer {found.get('token') or found.get('access_token') or ''}"

    def _refused(self, answer: requests.Response, repository: str) -> RegistryError:
        status = answer.status_code
        if status in (401, 403):
            if self._credentials is None:
                return RegistryError(
                    f"{self.host} wants a login for {repository}, and none is known here",
                    f"docker login {self.host}",
                    status,
                )
            return RegistryError(
                f"{self.host} refuses the login of {self._credentials.username or 'the token'} "
                f"for {repository} (HTTP {status})",
                f"is the password right, and may this user read it? docker login {self.host}",
                status,
            )
        try:
            errors = _json(answer).get("errors") or ()
            why = "; ".join(str(error.get("message") or error.get("code")) for error in errors)
        except RegistryError:
            why = ""
        words = one_line(why or answer.reason or "", _MAX_REASON)
        return RegistryError(
            f"{self.host} refuses a request for {repository}: HTTP {status} {words}".rstrip(),
            "the registry itself has failed: its log tells why; then try again"
            if status >= 500
            else "",
            status,
        )


def is_loopback(host: str) -> bool:
    """Whether a host, with or without port, is an address of this computer's own."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _server(host: str) -> str:
    return "registry-1.docker.io" if host == DOCKER_HUB else host


def _certificates(host: str) -> str:
    """https://docs.docker.com/engine/security/certificates/"""
    folder = Path("/etc/docker/certs.d") / host
    return next((str(file) for file in sorted(folder.glob("*.crt"))), "")


def _json(answer: requests.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if isinstance(found, dict):
        return found
    raise RegistryError(f"{urlsplit(answer.url).netloc} gave an answer that is not JSON")


def _reason(fault: Exception | None) -> str:
    if isinstance(fault, requests.exceptions.SSLError):
        return f"TLS failed: {one_line(str(fault), _MAX_REASON)}"
    if isinstance(fault, requests.exceptions.Timeout):
        return "no answer in time"
    inner: Any = getattr(fault, "args", ("",))[0]
    words = one_line(str(getattr(inner, "reason", inner)), _MAX_REASON)
    return re.sub(r"^HTTPS?Connection\(.*?\): ", "", words)
