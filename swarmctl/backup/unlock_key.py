"""The key file of an autolocked manager without its lock: before anything is touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from swarmctl.autolock.key_file import without_lock
from swarmctl.autolock.keys import opens
from swarmctl.errors import RefusedError, SwarmctlError

_HINT = "give the key of that time: --unlock-key-file FILE (-e restore_unlock_key_file=FILE)"


def unlocked(pem: str, keys: Callable[[], Sequence[str]], where: str) -> str:
    """A manager's key file as it must be for a restore; ``""``: as it is.

    Args:
        pem: the key file, of the archive.
        keys: gives the unlock keys that are known; called only if one is needed.
        where: they come from, for messages.

    Raises:
        RefusedError: one is needed, and none of these opens it.
        SwarmctlError: the file has an unknown form.
    """
    if "ENCRYPTED" not in pem:
        return ""
    locked = "the Swarm was autolocked: its state is useless without its unlock key"
    try:
        known = keys()
    except SwarmctlError as fault:
        raise RefusedError(
            f"{locked}, and {where} cannot be read: {fault.message}", _HINT
        ) from fault
    fitting = next((key for key in known if opens(pem, key)), "")
    if not fitting:
        none = (
            f"none of the {len(known)} keys in {where} opens it" if known else f"{where} has none"
        )
        raise RefusedError(f"{locked}, and {none}", _HINT)
    return without_lock(pem, fitting)
