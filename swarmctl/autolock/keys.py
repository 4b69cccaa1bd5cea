"""The Swarm's unlock key, and which managers it opens."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from swarmctl.autolock.store import Store
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.engine import Engine
from swarmctl.swarm.shell import Shells
from swarmctl.wait import wait_for

_PREFIX = "SWMKEY-1-"
# Of the node's private key and of the key of its raft log; both are encrypted with the unlock key.
_FILE = "/var/lib/docker/swarm/certificates/swarm-node.key"


def autolocked(engine: Engine) -> bool:
    """Whether managers are locked after a restart."""
    encryption = engine.get("/swarm")["Spec"].get("EncryptionConfig") or {}
    return bool(encryption.get("AutoLockManagers"))


def swarm_key(engine: Engine) -> str:
    """The key that the Swarm gives its managers now; ``""`` if they are not autolocked."""
    return str(engine.get("/swarm/unlockkey")["UnlockKey"])


def keep(store: Store, key: str, *former: str) -> bool:
    """Store a key as the newest, with former ones; whether that changed anything.

    Raises:
        SwarmctlError: it cannot be stored, or is not there afterwards.
    """
    wanted = (key, *(old for old in former if old != key))
    if store.read() == wanted:
        return False
    store.write(wanted)
    if store.read() != wanted:
        raise SwarmctlError(f"{store.where} does not hold what was written to it")
    return True


def opens(pem: str, key: str) -> bool:
    """Whether an unlock key decrypts a manager's key file. Pure.

    Source: swarmkit ca/keyreadwriter.go and ca/pkcs8 (PKCS #8 with the key's bytes as password),
    ca/keyutils; the key's form: manager/encryption/encryption.go, ``HumanReadableKey``.
    """
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        load_pem_private_key(pem.encode(), secret_of(key))
    except (ValueError, TypeError, binascii.Error):  # wrong key; not encrypted; no key
        return False
    return True


def secret_of(key: str) -> bytes:
    """The bytes that an unlock key stands for.

    Raises:
        ValueError: it is none.
    """
    text = key.removeprefix(_PREFIX)
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)


def wait_for_managers(
    shell: Shells, managers: Sequence[str], key: str, timeout: float, *, interval: float = 1.0
) -> None:
    """Wait until each manager has encrypted its keys with this one, which opens it after a restart.

    Args:
        shell: commands on the nodes.
        managers: their names.
        key: the unlock key; ``""``: none, the keys are not encrypted.
        timeout: seconds.
        interval: seconds between two looks.

    Raises:
        DeadlineExceededError: the message names the managers that need another key.
    """
    what = "use the new unlock key" if key else "need no unlock key any more"
    confirmed = set[str]()

    def look() -> tuple[bool | None, str]:
        left = [name for name in managers if name not in confirmed]
        with ThreadPoolExecutor(max_workers=max(len(left), 1)) as pool:
            why = pool.map(lambda name: _not_yet(shell, name, key), left)
        found = dict(zip(left, why, strict=True))
        confirmed.update(name for name, reason in found.items() if not reason)
        reasons = [reason for reason in found.values() if reason]
        return (None if reasons else True), "; ".join(reasons)

    wait_for(f"every manager to {what}", look, timeout=timeout, interval=interval)


def _not_yet(shell: Shells, name: str, key: str) -> str:
    """Why a manager does not use the key; ``""`` if it does."""
    try:
        pem = shell.run(name, f"cat {_FILE}")
    except SwarmctlError as fault:
        return fault.message
    uses = opens(pem, key) if key else "ENCRYPTED" not in pem
    return "" if uses else f"{name} still has another key"
