"""Encryption with age: to public keys here, with the private key elsewhere.

https://age-encryption.org/v1. The package pyrage is the Rust implementation of the format.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import pyrage

from swarmctl.backup.pipe import Reader, Writer
from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.reading.texts import reason

Key = Any  # pyrage has no types


class DecryptionError(SwarmctlError):
    """The file is damaged, or is for another key."""


def new_identity() -> tuple[str, str]:
    """A new private key, and its public key."""
    identity = pyrage.x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def recipients(keys: Sequence[str]) -> list[Key]:
    """The public keys in a form that :func:`encrypt` takes.

    Args:
        keys: ``age1…``, or SSH public keys (``ssh-ed25519 …``, ``ssh-rsa …``).

    Raises:
        UsageError: none was given, or one is not a public key.
    """
    if not keys:
        raise UsageError(
            "no key to encrypt the backup for",
            "make one with `swarmctl backup key -o FILE`, keep FILE away from the nodes, and put "
            "its public key into backup_recipients (--recipient)",
        )
    return [_recipient(key.strip()) for key in keys]


def _recipient(key: str) -> Key:
    if key.startswith("AGE-SECRET-KEY-"):
        raise UsageError("a private key was given as a recipient", "give the public one: age1…")
    try:
        kind = pyrage.ssh if key.startswith("ssh-") else pyrage.x25519
        return kind.Recipient.from_str(key)
    except pyrage.RecipientError as fault:
        raise UsageError(
            f"{key!r} is not a public key of age: {fault}", "allowed: age1… and ssh-ed25519 …"
        ) from fault


def identities(file: Path) -> list[Key]:
    """The private keys in a file, as ``swarmctl backup key`` and ``age-keygen`` write it.

    Raises:
        UsageError: it cannot be read, or has none.
    """
    try:
        text = file.expanduser().read_text()
    except (OSError, UnicodeDecodeError) as fault:
        raise UsageError(f"cannot read the private key {file}: {reason(fault)}") from fault
    try:
        if "-----BEGIN" in text:
            return [pyrage.ssh.Identity.from_buffer(text.encode())]
        lines = (line.strip() for line in text.splitlines())
        found = [pyrage.x25519.Identity.from_str(k) for k in lines if k and k[0] != "#"]
    except pyrage.IdentityError as fault:
        raise UsageError(f"{file} holds no private key of age") from fault
    if not found:
        raise UsageError(f"{file} holds no private key of age")
    return found


def encrypt(source: Reader, target: Writer, keys: Sequence[Key]) -> None:
    """Encrypt all that a reader has."""
    pyrage.encrypt_io(source, target, list(keys))


def decrypt(source: BinaryIO, target: Writer, keys: Sequence[Key], where: str) -> None:
    """Decrypt a file.

    Raises:
        DecryptionError: none of the keys fits, or the file is damaged.
    """
    try:
        pyrage.decrypt_io(source, target, list(keys))
    except pyrage.DecryptError as fault:
        if "No matching keys" in str(fault):
            raise DecryptionError(
                f"{where} was encrypted for other keys than the given one",
                "its manifest lists the public keys under `recipients`",
            ) from fault
        raise DecryptionError(f"{where} is damaged: {fault}", "use another backup") from fault
    except OSError as fault:
        if fault.errno is not None:  # of the target
            raise
        raise DecryptionError(f"{where} is damaged: {fault}", "use another backup") from fault


@contextmanager
def decrypted(path: Path, keys: Sequence[Key], where: str) -> Iterator[BinaryIO]:
    """The content of an encrypted file as it is decrypted; it is on no disk.

    Raises:
        DecryptionError: none of the keys fits, or the file is damaged; also when the block failed.
    """
    out, into = os.pipe()
    faults: list[Exception] = []

    def work() -> None:
        try:
            with path.open("rb") as source, os.fdopen(into, "wb") as target:
                decrypt(source, target, keys, where)
        except Exception as fault:  # noqa: BLE001 - raised where the content is read
            faults.append(fault)

    worker = threading.Thread(target=work, daemon=True)
    with os.fdopen(out, "rb") as reader:
        worker.start()
        try:
            yield reader
            while reader.read(2**20):  # the end is authenticated, too
                pass
        except Exception:
            reader.close()
            worker.join()
            _raise_first(faults)
            raise
    worker.join()
    _raise_first(faults)


def _raise_first(faults: list[Exception]) -> None:
    if faults and not isinstance(faults[0], BrokenPipeError):
        raise faults[0]
