"""The access keys that the lab accepts: the operator's, users', and short-lived ones of roles.

Every key is random and known to this process only, so none works on another lab.
"""

from __future__ import annotations

import secrets
import string
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

# Seconds. AWS's last for six hours and are renewed "at least five minutes" before their end;
# botocore starts to ask for new ones 15 minutes before.
LIFETIME = 3600
RENEWED_BEFORE_END = 1800

_LETTERS = string.ascii_uppercase + string.digits


@dataclass(frozen=True, slots=True)
class Key:
    """An access key; that of a role also has a session token and an end."""

    id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)
    role: str = ""  # its name
    # The IAM user's name. Without role and user it is the operator, who may do everything.
    user: str = ""
    session: str = ""  # the instance that uses the role
    issued: float = 0.0  # seconds since the epoch
    expires: float = 0.0  # seconds since the epoch; 0: never

    @property
    def limited(self) -> str:
        """Whose policies limit it, a role's or a user's; "" for the operator."""
        return self.role or self.user

    def arn(self, account: str) -> str:
        """The caller, as AWS names it in its errors."""
        if not self.role:
            return f"arn:aws:iam::{account}:{f'user/{self.user}' if self.user else 'root'}"
        return f"arn:aws:sts::{account}:assumed-role/{self.role}/{self.session}"


class KeyRing:
    """All keys of a lab; may be used by several threads."""

    def __init__(
        self,
        operator: Key,
        now: Callable[[], float] = time.time,
        of_user: Callable[[str], Key | None] = lambda _: None,
    ) -> None:
        """Begin with the operator's key; ``of_user`` finds those that CreateAccessKey made."""
        self._of_user = of_user
        self._now = now
        self._lock = threading.Lock()
        self._keys = {operator.id: operator}
        self._current: dict[tuple[str, str], Key] = {}

    def find(self, key_id: str) -> Key | None:
        """The key with that id, even if it has expired."""
        with self._lock:
            if key := self._keys.get(key_id):
                return key
        return self._of_user(key_id)

    def expired(self, key: Key) -> bool:
        """Whether the key's time is over."""
        return bool(key.expires) and self._now() >= key.expires

    def of_role(self, role: str, session: str) -> Key:
        """The key with which ``session`` (an instance) uses ``role``; a new one in good time."""
        with self._lock:
            now = self._now()
            key = self._current.get((role, session))
            if key is None or now > key.expires - RENEWED_BEFORE_END:
                key = Key(
                    id="ASIA" + "".join(secrets.choice(_LETTERS) for _ in range(16)),
                    secret=secrets.token_urlsafe(30),
                    token=secrets.token_urlsafe(180),
                    role=role,
                    session=session,
                    issued=now,
                    expires=now + LIFETIME,
                )
                self._keys = {
                    i: k for i, k in self._keys.items() if not k.expires or k.expires > now - 3600
                }
                self._keys[key.id] = self._current[role, session] = key
            return key
