"""A manager's key file without its lock.

An Engine forgets the unlock key when a new cluster is forced, and the Swarm is lost
(https://github.com/moby/moby/issues/36852): a state that is restored must not be locked. The
manager encrypts its file again as soon as it leads (swarmkit manager/manager.go, ``updateKEK``).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from swarmctl.autolock.keys import secret_of
from swarmctl.errors import SwarmctlError

# Of swarmkit's MaybeEncryptedRecord (api/raft.proto).
_ALGORITHM, _DATA, _NONCE = 1, 2, 3
_NACL = 1


def without_lock(pem: str, key: str) -> str:
    """The file with its private key and the keys of its raft log decrypted. Pure.

    Source: swarmkit ca/keyreadwriter.go and manager/deks.go.

    Args:
        pem: the file.
        key: the unlock key that opens it.

    Raises:
        SwarmctlError: it has another form; an Engine in FIPS mode writes one.
    """
    secret = secret_of(key)
    try:
        plain = load_pem_private_key(pem.encode(), secret).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        headers = dict(_headers(pem, secret))
    except (ValueError, IndexError, CryptoError) as fault:
        raise SwarmctlError(f"the manager's key file cannot be unlocked: {fault}") from fault
    first, _, rest = plain.decode().partition("\n")
    # Older than any version of the Swarm's key, so that the manager takes that one.
    headers["kek-version"] = "0"
    lines = [f"{name}: {value}" for name, value in sorted(headers.items())]
    return "\n".join([first, *lines, "", rest])


def _headers(pem: str, secret: bytes) -> Iterator[tuple[str, str]]:
    for line in pem.splitlines():
        name, colon, value = line.partition(": ")
        if colon and name in ("raft-dek", "raft-dek-pending"):
            yield name, _decrypted(value, secret)
        elif colon and name == "raft-dek-needs-rotation":
            yield name, value


def _decrypted(value: str, secret: bytes) -> str:
    fields = dict(_fields(base64.b64decode(value)))
    if fields.get(_ALGORITHM) != _NACL:
        raise ValueError(f"encryption {fields.get(_ALGORITHM)!r} is unknown")
    data = SecretBox(secret).decrypt(bytes(fields[_DATA]), bytes(fields[_NONCE]))
    return base64.b64encode(bytes([_DATA << 3 | 2, len(data)]) + data).decode()


def _fields(record: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message of Protocol Buffers; all are shorter than 128 bytes."""
    while record:
        tag, value, record = record[0], record[1], record[2:]
        if tag & 7 == 2:
            yield tag >> 3, record[:value]
            record = record[value:]
        else:
            yield tag >> 3, value
