"""A fault's context without a world."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from swarmctl.chaos.fault.fault import FaultContext
from swarmctl.chaos.fault.kind import Options


def bare(**options: object) -> FaultContext:
    nothing = cast("None", object())
    made = FaultContext(*[nothing] * 7)  # type: ignore[arg-type]  # none of these is used
    return replace(
        made,
        run_id="20260102-030405-x",
        ttl_s=90.0,
        status=lambda text: None,
        mark=lambda kind, text, at=None, silenced="": None,
        options=Options(**options),  # type: ignore[arg-type]  # its own fields
    )
