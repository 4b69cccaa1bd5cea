"""What the operator can change at the registry while it serves, to see a client fail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from swarmctl.lab.access.api_error import ApiError
from swarmctl.lab.access.call import Call
from swarmctl.lab.access.keys import Key
from swarmctl.lab.registry.gateway import Gateway

ACTION = "SetRegistry"
NO_LIMIT = -1
LONGEST_LIFE = 366 * 86400.0  # seconds


def change(registry: Gateway, key: Key, call: Call) -> Mapping[str, Any]:
    """Change what the call names, and answer what holds then.

    Raises:
        ApiError: it is not the operator's, or makes no sense.
    """
    if key.limited:
        raise ApiError("AccessDeniedException", "only the operator may change the registry")
    asked = call.parameters
    life = asked.get("TokenLife", registry.tokens.life)
    if not _number(life) or not 0 < life <= LONGEST_LIFE:
        raise ApiError("ValidationException", "TokenLife is a number of seconds", 400)
    limits = {name: asked[name] for name in ("Room", "Layer") if name in asked}
    if any(not isinstance(v, int) or v < NO_LIMIT for v in limits.values()):
        raise ApiError("ValidationException", "Room and Layer are numbers of bytes", 400)
    registry.tokens.life = float(life)
    if "Room" in limits:
        registry.limits.room = _limit(limits["Room"])
    if "Layer" in limits:
        registry.limits.layer = _limit(limits["Layer"])
    ended = registry.tokens.end_all() if asked.get("EndTokens") is True else 0
    return {
        "Address": registry.address,
        "TokenLife": registry.tokens.life,
        "Ended": ended,
        "Room": _shown(registry.limits.room),
        "Layer": _shown(registry.limits.layer),
    }


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _limit(size: int) -> int | None:
    return None if size == NO_LIMIT else size


def _shown(limit: int | None) -> int:
    return NO_LIMIT if limit is None else limit
