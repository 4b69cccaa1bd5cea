"""The Swarm's spec must be the same after a rotation: the Engine replaces it as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from swarmctl.errors import SwarmctlError
from swarmctl.swarm.engine import Engine, Json

# A rotation of the root counts up the first; it drops a certificate that was given by hand.
CA = ("ForceRotate", "SigningCACert")


@contextmanager
def kept(engine: Engine, *except_ca: str) -> Iterator[None]:
    """Require that the Swarm's settings are the same afterwards.

    Args:
        engine: the Swarm.
        except_ca: keys of ``CAConfig`` that may change.

    Raises:
        SwarmctlError: a setting was lost, or another client changed one meanwhile.
    """
    before = _settings(engine, except_ca)
    yield
    after = _settings(engine, except_ca)
    changed = sorted(k for k in {*before, *after} if before.get(k) != after.get(k))
    if changed:
        raise SwarmctlError(
            f"the rotation is done, but these settings of the Swarm changed: {', '.join(changed)}",
            "another client may have changed them: docker info; docker swarm update --help",
        )


def _settings(engine: Engine, except_ca: tuple[str, ...]) -> Json:
    spec: Json = engine.get("/swarm")["Spec"]
    ca = {k: v for k, v in (spec.get("CAConfig") or {}).items() if k not in except_ca}
    return {**spec, "CAConfig": ca}
