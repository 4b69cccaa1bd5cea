"""Which unlock key opens the state of an autolocked manager: found before anything is touched."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from swarmctl.autolock.keys import opens
from swarmctl.errors import RefusedError, SwarmctlError

_HINT = "give the key of that time: --unlock-key-file FILE (-e restore_unlock_key_file=FILE)"


def unlock_key_of(pem: str, keys: Callable[[], Sequence[str]], where: str) -> str:
    """The key that the Engine asks for when it starts on this state; ``""``: none.

    Args:
        pem: the manager's key file, of the archive.
        keys: gives those that are known; called only if one is needed.
        where: they come from, for messages.

    Raises:
        RefusedError: one is needed, and none of these opens it.
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
    return fitting
