"""Credentials for a registry: a token of ECR, else what ``docker login`` has stored.

``$DOCKER_CONFIG`` is the folder of Docker's configuration; its credential helpers are asked, too.
"""

from __future__ import annotations

import json
import os
import re
import threading
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import docker.auth
import docker.errors

from swarmctl.cloud.ecr import Ecr, EcrError, Token
from swarmctl.errors import UsageError
from swarmctl.registry.reference import DOCKER_HUB

# https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html
_ECR_HOST = re.compile(
    r"\d{12}\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)\Z"
)
# An ECR of its own, behind another endpoint: its tokens tell the registry's host.
_ENDPOINTS = ("AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL")
# A token with less life than this is replaced before it is used: share of its life.
_LEFT = 0.25


@dataclass(frozen=True, slots=True)
class Credentials:
    """A login to one registry.

    Attributes:
        host: the registry's.
        username: may be empty with an identity token.
        password: of the user, or a token of ECR.
        identity_token: in place of a password.
        expires_at: when it ends; ``None`` if that is not known.
    """

    host: str
    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    expires_at: datetime | None = None

    def auth_config(self) -> dict[str, str]:
        """In the Engine's spelling (``AuthConfig`` of its API)."""
        if self.identity_token:
            return {"identitytoken": self.identity_token, "serveraddress": self.host}
        login = {"username": self.username, "password": self.password}
        return {**login, "serveraddress": self.host}

    def header(self) -> str:
        """The value of the Engine's header ``X-Registry-Auth``."""
        return urlsafe_b64encode(json.dumps(self.auth_config()).encode()).decode()


class Keyring:
    """Finds the credentials of registries; a token is asked for once, and again before it ends.

    Args:
        ecr: makes the API of a region; replaced in tests.
        now: aware UTC; replaced in tests.
    """

    def __init__(
        self,
        ecr: Callable[[str | None], Ecr] = lambda region: Ecr(region=region),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._ecr, self._now = ecr, now
        self._lock = threading.Lock()
        self._tokens: dict[str | None, tuple[Token, datetime]] = {}  # and when it must be replaced
        self._config: docker.auth.AuthConfig | None = None

    def find(self, host: str, *, docker: bool = True) -> Credentials | None:
        """The credentials for a registry; ``None`` if there are none.

        Args:
            host: with its port, as in an image's name: ``registry.example:5000``.
            docker: whether those that ``docker login`` has stored are looked for.

        Raises:
            EcrError: the registry is an ECR, and gives no token.
            UsageError: Docker's configuration cannot be read, or its credential helper failed.
        """
        with self._lock:
            return self._of_ecr(host) or (self._of_docker(host) if docker else None)

    def _of_ecr(self, host: str) -> Credentials | None:
        if found := _ECR_HOST.match(host):
            return _from_token(self._token(found["region"]))
        if host == DOCKER_HUB or not any(os.environ.get(name) for name in _ENDPOINTS):
            return None
        try:
            token = self._token(None)
        except EcrError:
            return None  # nothing says that this registry is an ECR
        return _from_token(token) if token.host == host else None

    def _token(self, region: str | None) -> Token:
        now = self._now()
        kept = self._tokens.get(region)
        if kept is None or now >= kept[1]:
            token = self._ecr(region).token()
            life = max(token.expires_at - now, timedelta())
            kept = self._tokens[region] = token, token.expires_at - life * _LEFT
        return kept[0]

    def _of_docker(self, host: str) -> Credentials | None:
        try:
            if self._config is None:
                self._config = docker.auth.load_config()
            found = self._config.resolve_authconfig(host)
        except (docker.errors.DockerException, OSError, ValueError) as fault:
            raise UsageError(
                f"Docker's configuration gives no credentials for {host}: {fault}",
                "it is ~/.docker/config.json or $DOCKER_CONFIG/config.json; `docker login` "
                "writes it",
            ) from fault
        return _from_docker(host, found) if found else None


def _from_token(token: Token) -> Credentials:
    return Credentials(token.host, token.username, token.password, expires_at=token.expires_at)


def _from_docker(host: str, found: Mapping[str, Any]) -> Credentials | None:
    known = {str(key).lower(): str(value) for key, value in found.items() if value}
    server = known.get("serveraddress", host)
    if token := known.get("identitytoken"):
        return Credentials(server, identity_token=token)
    if "password" not in known:
        return None
    return Credentials(server, known.get("username", ""), known["password"])
