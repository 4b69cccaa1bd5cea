"""The door of the registry: it checks who asks for what, and passes on what ECR would do.

Tags are resolved here, from the API's state: the registry behind knows digests only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from swarmctl.lab.access.api_error import ApiError
from swarmctl.lab.access.call import Call
from swarmctl.lab.access.iam import require_permission
from swarmctl.lab.access.keys import Key
from swarmctl.lab.access.traffic import Traffic
from swarmctl.lab.registry import images
from swarmctl.lab.registry.registry_error import (
    RegistryError,
    full,
    layer_too_large,
    manifest_too_large,
    unavailable,
)
from swarmctl.lab.registry.request import Wanted, read
from swarmctl.lab.registry.tokens import Token, Tokens
from swarmctl.lab.registry.upstream import Upstream, blocks

SERVICE = "registry"  # in `swarmctl lab calls` and `lab fault`, apart from ECR's API
MAX_MANIFEST = 4 << 20  # bytes


@dataclass(slots=True)
class Limits:
    """What the registry takes at most; may be changed at any time."""

    room: int | None = None  # bytes left for layers; None: as much as this computer has
    layer: int | None = None  # bytes of one layer

    def take(self, size: int) -> None:
        """Use some of the room.

        Raises:
            RegistryError: there is not enough.
        """
        if self.room is not None:
            if size > self.room:
                raise full()
            self.room -= size


@dataclass(frozen=True, slots=True)
class _Request:
    """One request that may be served."""

    environ: dict[str, Any]
    start_response: Any
    token: Token
    wanted: Wanted


@dataclass(slots=True)
class Gateway:
    """A WSGI application."""

    account: str
    tokens: Tokens
    traffic: Traffic
    lock: AbstractContextManager[Any]  # the API's
    address: str = ""  # what the API says where the registry is; "" for AWS's own name
    upstream: Upstream | None = None  # none before the lab has one
    limits: Limits = field(default_factory=Limits)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        try:
            wanted = read(str(environ["REQUEST_METHOD"]), str(environ["PATH_INFO"]))
            token = self.tokens.check(str(environ.get("HTTP_AUTHORIZATION", "")))
            self._admit(token, wanted)
            if not wanted.repository:
                return _json(start_response, {})
            if self.upstream is None:
                raise unavailable("the lab has no registry")
            return self._serve(_Request(environ, start_response, token, wanted), self.upstream)
        except RegistryError as error:
            return error.answer(start_response)

    def authorization(self, key: Key, call: Call) -> dict[str, Any]:
        """The answer to GetAuthorizationToken."""
        token = self.tokens.issue(key, call.region)
        name = f"{self.account}.dkr.ecr.{call.region}.amazonaws.com"
        data = {
            "authorizationToken": token.encoded,
            "expiresAt": token.ends,
            "proxyEndpoint": f"http://{self.address}" if self.address else f"https://{name}",
        }
        return {"authorizationData": [data]}

    def _admit(self, token: Token, wanted: Wanted) -> None:
        """Count the request, and judge it as the API would judge the same call."""
        asked = Call(SERVICE, wanted.action, region=token.region)
        try:
            self.traffic.admit(token.key, asked)
        except ApiError as error:
            code = "TOOMANYREQUESTS" if error.status < 500 else "UNAVAILABLE"
            status = 429 if error.status < 500 else error.status
            raise RegistryError(status, code, error.message) from error
        if not wanted.repository:
            return
        named = {"repositoryName": wanted.repository}
        call = Call("ecr", wanted.action, named, token.region, as_json=True)
        with self.lock:
            try:
                require_permission(self.account, token.key, call)
            except ApiError as error:
                self.traffic.deny(token.key, asked, error)
                raise RegistryError(403, "DENIED", error.message) from error
            images.repository(self.account, token.region, wanted.repository)

    def _serve(self, asked: _Request, upstream: Upstream) -> Iterable[bytes]:
        wanted, path = asked.wanted, str(asked.environ["PATH_INFO"])
        if wanted.kind == "tags":
            return self._tags(asked)
        if wanted.action == "PutImage":
            return self._put(asked, upstream)
        if wanted.kind == "manifests":
            path = f"/v2/{wanted.repository}/manifests/{self._digest(asked)}"
        elif wanted.action == "InitiateLayerUpload":
            path = path.rstrip("/") + "/"  # without a query: a layer of elsewhere is not mounted
        elif query := asked.environ.get("QUERY_STRING"):
            path += f"?{query}"
        seen = _Counter(self.limits) if wanted.kind == "uploads" else None
        return upstream.pass_on(asked.environ, path, seen).send(asked.start_response)

    def _repository(self, asked: _Request) -> Any:
        return images.repository(self.account, asked.token.region, asked.wanted.repository)

    def _digest(self, asked: _Request) -> str:
        with self.lock:
            image = images.find(self._repository(asked), asked.wanted.tag, asked.wanted.digest)
            if asked.environ["REQUEST_METHOD"] == "GET":
                images.pulled(image)
            return str(image.get_image_digest())

    def _tags(self, asked: _Request) -> Iterable[bytes]:
        with self.lock:
            found = self._repository(asked).images
            tags = sorted(tag for image in found for tag in image.image_tags)
        return _json(asked.start_response, {"name": asked.wanted.repository, "tags": tags})

    def _put(self, asked: _Request, upstream: Upstream) -> Iterable[bytes]:
        wanted, manifest = asked.wanted, _manifest(asked.environ)
        digest = wanted.digest or f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        kind = str(asked.environ.get("CONTENT_TYPE", ""))
        with self.lock:  # so that of two who push the same immutable tag one is refused
            where = self._repository(asked)
            images.require_mutable(where, wanted.tag)
            answer = upstream.put_manifest(wanted.repository, digest, manifest, kind)
            if answer.status < 300:
                images.record(where, manifest, kind, wanted.tag, digest)
        return answer.send(asked.start_response)


def _manifest(environ: dict[str, Any]) -> bytes:
    content = b""
    for block in blocks(environ):
        content += block
        if len(content) > MAX_MANIFEST:
            raise manifest_too_large(MAX_MANIFEST)
    return content


class _Counter:
    """Counts the bytes of a layer, and refuses those above the limits."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._size = 0

    def __call__(self, block: bytes) -> None:
        self._size += len(block)
        if self._limits.layer is not None and self._size > self._limits.layer:
            raise layer_too_large(self._limits.layer)
        self._limits.take(len(block))


def _json(start_response: Any, data: Any) -> Iterable[bytes]:
    body = json.dumps(data).encode()
    headers = [
        ("Docker-Distribution-Api-Version", "registry/2.0"),
        ("Content-Type", "application/json; charset=utf-8"),
        ("Content-Length", str(len(body))),
    ]
    start_response("200 OK", headers)
    return [body]
