"""Start an Engine on a restored state: as a new Swarm of one manager that has all it had."""

from __future__ import annotations

from collections.abc import Callable

from swarmctl.errors import RefusedError, SwarmctlError

Run = Callable[[str, float], str]  # a script for sh as root and seconds; standard output

START_S = 90.0
FORCE_S = 120.0

# An Engine whose Swarm has no leader waits 20 s for it, then answers. A unit that never failed, or
# does not exist, cannot be reset.
_START = """
set -eu
systemctl reset-failed docker.service docker.socket 2>/dev/null || :
systemctl start docker.service
docker info --format '{{.Swarm.LocalNodeState}}'
"""
_STATE = "docker info --format '{{.Swarm.LocalNodeState}}'"

# The address must be given: without it Docker takes one by itself (docker/for-linux#523), and the
# port, which --force-new-cluster does not take from the state (moby/swarmkit#2932). The answer has
# the join tokens.
_FORCE = """
set -eu
timeout 110 docker swarm init --force-new-cluster --advertise-addr={address} \\
  --data-path-port={port} > /dev/null
docker info --format '{{{{.Swarm.Cluster.ID}}}}'
"""

# From a here-document, in a script that is no argument of a command: no list of processes shows the
# key.
_UNLOCK = """
set -eu
docker swarm unlock <<'KEY' > /dev/null
{key}
KEY
for _ in $(seq 100); do
  state=$(docker info --format '{{{{.Swarm.LocalNodeState}}}}')
  [ "$state" = locked ] || break
  sleep 0.2
done
echo "$state"
"""


def begin_anew(run: Run, swarm_id: str, address: str, port: int, key: str) -> None:
    """Start the Engine, unlock it, and make it the only manager.

    In this order: ``--force-new-cluster`` on a locked Swarm loses it (moby/moby#36852).

    Args:
        run: runs a script on the machine that has the state.
        swarm_id: the Swarm that must be there afterwards.
        address: the private address of the machine.
        port: for VXLAN.
        key: the unlock key; ``""``: the Swarm has none.

    Raises:
        SwarmctlError: it failed; it can be tried again.
    """
    state = run(_START, START_S).strip()
    if state == "locked":
        unlock(run, key)
    found = run(_FORCE.format(address=address, port=int(port)), FORCE_S).strip()
    if found != swarm_id:
        raise SwarmctlError(f"the restored Swarm is {found or 'none'}, and not {swarm_id}")


def unlock(run: Run, key: str) -> None:
    """Unlock a manager that has restarted.

    Raises:
        SwarmctlError: the key is another.
    """
    if not key.startswith("SWMKEY-") or not key.isascii() or any(c.isspace() for c in key):
        raise RefusedError("this is no unlock key", "it begins with SWMKEY-1-")
    if run(_STATE, 30.0).strip() != "locked":
        return
    state = run(_UNLOCK.format(key=key), 60.0).strip()
    if state == "locked":
        raise SwarmctlError("the unlock key does not fit", "it may have been rotated since")
