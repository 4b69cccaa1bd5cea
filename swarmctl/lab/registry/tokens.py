"""The passwords of the registry: each belongs to a caller of the API, and ends."""

from __future__ import annotations

import base64
import binascii
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from swarmctl.lab.access.keys import Key
from swarmctl.lab.registry.registry_error import no_credentials, token_ended

USER = "AWS"
#: Seconds. https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html
LIFE = 12 * 3600.0
_REMEMBERED = 24 * 3600.0  # seconds after its end: until then the refusal says that it has ended


@dataclass(frozen=True, slots=True)
class Token:
    """What GetAuthorizationToken gives."""

    password: str = field(repr=False)
    key: Key  # of the caller: the registry allows what the API would allow with it
    region: str
    ends: float  # seconds since the epoch

    @property
    def encoded(self) -> str:
        """As clients get and send it."""
        return base64.b64encode(f"{USER}:{self.password}".encode()).decode()


class Tokens:
    """All tokens of a lab; may be used by several threads."""

    def __init__(self, life: float = LIFE, now: Callable[[], float] = time.time) -> None:
        """``life``: for how many seconds a new token is good."""
        self.life = life
        self._now = now
        self._lock = threading.Lock()
        self._tokens: dict[str, Token] = {}

    def issue(self, key: Key, region: str) -> Token:
        """A new token for a caller of the API."""
        now = self._now()
        token = Token(secrets.token_urlsafe(60), key, region, now + self.life)
        with self._lock:
            kept = {p: t for p, t in self._tokens.items() if t.ends > now - _REMEMBERED}
            self._tokens = {**kept, token.password: token}
        return token

    def end_all(self) -> int:
        """End all tokens now; returns how many were good."""
        with self._lock:
            now = self._now()
            good = [token for token in self._tokens.values() if token.ends > now]
            self._tokens |= {t.password: replace(t, ends=now) for t in good}
        return len(good)

    def check(self, authorization: str) -> Token:
        """The token in a header ``Authorization``.

        Raises:
            RegistryError: there is none, it is unknown, or it has ended.
        """
        kind, _, encoded = authorization.partition(" ")
        try:
            user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            user = password = ""
        with self._lock:
            token = self._tokens.get(password)
        if kind.lower() != "basic" or user != USER or token is None:
            raise no_credentials()
        if self._now() >= token.ends:
            raise token_ended()
        return token
