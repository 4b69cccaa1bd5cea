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
# A secret is in a here-document of a script that is no argument of a command: no list of processes
# shows it. Not every Engine has a socket unit. The manager encrypts the file again once it leads.
_OPEN = """
set -eu
umask 077
folder=$(docker info --format '{{{{.DockerRootDir}}}}')/swarm/certificates
trap 'rm -f "$folder/swarm-node.key.new"; systemctl start docker.service' EXIT
cat > "$folder/swarm-node.key.new" <<'PEM'
{pem}
PEM
systemctl stop docker.socket 2>/dev/null || :
systemctl stop docker.service
mv "$folder/swarm-node.key.new" "$folder/swarm-node.key"
trap - EXIT
systemctl start docker.service
docker info --format '{{{{.Swarm.LocalNodeState}}}}'
"""
_STATE = "docker info --format '{{.Swarm.LocalNodeState}}'"

# The address must be given: without it Docker takes one by itself (docker/for-linux#523), and the
# port, which --force-new-cluster does not take from the state (moby/swarmkit#2932). Autolock, too,
# would be turned off. The answer has the join tokens, and the unlock key.
_FORCE = """
set -eu
timeout 110 docker swarm init --force-new-cluster --advertise-addr={address} \\
  --data-path-port={port} {autolock} > /dev/null
docker info --format '{{{{.Swarm.Cluster.ID}}}}'
"""

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


def begin_anew(run: Run, swarm_id: str, address: str, port: int, key_file: str) -> None:
    """Start the Engine, without a lock, and make it the only manager.

    ``--force-new-cluster`` on a Swarm that was locked loses it (moby/moby#36852).

    Args:
        run: runs a script on the machine that has the state.
        swarm_id: the Swarm that must be there afterwards.
        address: the private address of the machine.
        port: for VXLAN.
        key_file: the manager's, without its lock; ``""``: the Swarm is not autolocked.

    Raises:
        SwarmctlError: it failed; it can be tried again.
    """
    run(_START, START_S)
    if key_file:
        run(_OPEN.format(pem=key_file), START_S)
    autolock = "--autolock" if key_file else ""
    found = run(_FORCE.format(address=address, port=int(port), autolock=autolock), FORCE_S).strip()
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
