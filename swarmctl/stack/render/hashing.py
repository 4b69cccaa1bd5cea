"""Names with a hash of the content: configs and secrets are immutable in Swarm."""

from __future__ import annotations

import hashlib


def hashed(text: str | bytes, name: str) -> str:
    """A config's or secret's name with a hash of its content: ``nginx_conf-3f9a1c2b7d10``.

    Args:
        text: the content.
        name: the part before the hash; Swarm allows 64 characters in all.

    Raises:
        ValueError: the name would be too long.
    """
    full = f"{name}-{_digest(text.encode() if isinstance(text, str) else text)}"
    if len(full) > 64:
        raise ValueError(f"{full!r} is longer than the 64 characters Swarm allows for a name")
    return full


def is_hashed(name: str, content: bytes) -> bool:
    """Whether :func:`hashed` made this name from this content."""
    return name.endswith(f"-{_digest(content)}")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]
