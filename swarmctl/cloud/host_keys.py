"""SSH host keys in an instance's console output. Pure.

At first boot cloud-init prints the public host keys on the console, between two marks
(https://cloudinit.readthedocs.io/en/latest/reference/modules.html#keys-to-console).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

_BEGIN = "-----BEGIN SSH HOST KEY KEYS-----"
_END = "-----END SSH HOST KEY KEYS-----"
_KINDS = "ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)"
_KEY = re.compile(rf"({_KINDS}) ([A-Za-z0-9+/]+=*)(?: |$)")


@dataclass(frozen=True, slots=True)
class HostKey:
    """A public key of an SSH server."""

    kind: str  # such as "ssh-ed25519"
    body: str  # base64

    @property
    def fingerprint(self) -> str:
        """As ``ssh-keygen -l`` prints it."""
        digest = hashlib.sha256(base64.b64decode(self.body)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def host_key(line: str) -> HostKey | None:
    """The key in a line such as ``ssh-ed25519 AAAA… comment``; ``None`` if it is no such line."""
    found = _KEY.match(line.strip())
    if found is None:
        return None
    kind, body = found.groups()
    try:
        blob = base64.b64decode(body, validate=True)
    except binascii.Error:
        return None
    # The key repeats its type, after a length of four bytes (RFC 4253, section 6.6).
    named = len(kind).to_bytes(4, "big") + kind.encode()
    return HostKey(kind, body) if blob.startswith(named) and len(blob) > len(named) else None


def host_keys(console: str) -> tuple[HostKey, ...]:
    """The keys of the first complete block in a console output; ``()`` without one.

    The first: what is printed later may come from a program that runs on the machine. Lines of
    others between the keys, such as the kernel's, are left out.
    """
    lines = [line.strip() for line in console.splitlines()]
    try:
        begin = lines.index(_BEGIN)
        end = lines.index(_END, begin)
    except ValueError:
        return ()
    return tuple(key for line in lines[begin:end] if (key := host_key(line)))
