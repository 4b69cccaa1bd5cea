"""New join tokens. Nodes that have joined do not need them."""

from __future__ import annotations

from swarmctl.errors import SwarmctlError
from swarmctl.rotation.spec import kept
from swarmctl.swarm.engine import Engine, Json, change_swarm


def rotate(engine: Engine, *, dry_run: bool) -> list[str]:
    """Give the Swarm new join tokens; the old ones are refused from then on.

    Tokens are fetched whenever a node joins and stored nowhere, so nothing else changes.

    Returns:
        What was, or would be, changed.

    Raises:
        SwarmctlError: a token is the same as before.
    """
    lines = ["join token of workers: new", "join token of managers: new"]
    if dry_run:
        return lines
    before = _tokens(engine)
    with kept(engine):
        change_swarm(engine, lambda spec: spec, "rotateWorkerToken", "rotateManagerToken")
    after = _tokens(engine)
    if same := sorted(role for role in after if after[role] == before.get(role)):
        raise SwarmctlError(f"the join tokens of {' and '.join(same)} are the same as before")
    return lines


def _tokens(engine: Engine) -> Json:
    tokens: Json = engine.get("/swarm")["JoinTokens"]
    return tokens
