"""A new SSH key for the cluster's nodes.

Both keys are accepted until the new one has been tried on every node and recorded. The files show
how far a rotation is that was stopped::

    id_ed25519.new      a key that the nodes are being given
    id_ed25519          the key that is in use
    id_ed25519.former   the one before, until no node accepts it any more
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from shlex import quote

import paramiko

from swarmctl.cluster import Target
from swarmctl.errors import RefusedError, SwarmctlError
from swarmctl.state import cluster_dir
from swarmctl.swarm.shell import CONNECT_TIMEOUT_S, Shells
from swarmctl.swarm.ssh import Endpoint, ManagerError, open_ssh

_ADD = """\
set -eu
home=$(getent passwd {user} | cut -d: -f6)
file=$home/.ssh/authorized_keys
if grep -qF {blob} "$file"; then exit 0; fi
if [ -n "$(tail -c 1 "$file")" ]; then echo >>"$file"; fi
echo {line} >>"$file"
"""
# root's file has the key too, where cloud-init forbids root to log in with it. grep's 1: no line is
# left; 2, a full disk for example: the file stays as it is.
_REMOVE = """\
set -eu
home=$(getent passwd {user} | cut -d: -f6)
for file in "$home/.ssh/authorized_keys" /root/.ssh/authorized_keys; do
  if ! grep -qsF {blob} "$file"; then continue; fi
  cp -p "$file" "$file.swarmctl"
  grep -vF {blob} "$file" >"$file.swarmctl" || [ $? = 1 ]
  mv "$file.swarmctl" "$file"
done
"""


def rotate(target: Target, *, dry_run: bool, note: Callable[[str], None]) -> list[str]:
    """Give every node a new SSH key, record it, and remove the old one.

    Args:
        target: the cluster.
        dry_run: change nothing.
        note: for progress.

    Returns:
        What was, or would be, changed.

    Raises:
        RefusedError: a node does not run; it would keep the old key. Nothing was changed.
        SwarmctlError: a node does not accept a key that it should, or accepts one that it should
            not; the same command goes on.
    """
    if not target.instances or target.cloud is None:
        raise RefusedError(
            "these machines are not in EC2: their SSH key is your own",
            "rotate it with your own tools, and name the new one in your inventory",
        )
    if off := [f"{i.name} is {i.state}" for i in target.instances if i.state != "running"]:
        raise RefusedError(
            f"{', '.join(off)}: it would keep the old key",
            "start it (playbooks/site.yml), or terminate it",
        )
    nodes, key = target.nodes(), cluster_dir(target.cluster) / "id_ed25519"
    fresh, former = key.with_suffix(".new"), key.with_suffix(".former")
    lines = [f"SSH key of {len(nodes)} nodes: new, in {key}", "former SSH key: removed"]
    if dry_run:
        return lines
    _finish_swap(key)
    if fresh.exists() or not former.exists():
        _make(key, fresh)
        note(f"giving the new key to {len(nodes)} nodes")
        _on_all(target, key, lambda user: _add(user, _public(fresh)))
        _require_login(nodes, fresh)
        _swap(key, fresh, former)
    note("every node accepts the new key; removing the former one")
    for name in target.cloud.replace_key_pair(target.cluster, _public(key)):
        lines.append(f"EC2 key pair {name}: the new key, for nodes that are made from now on")
    _require_login(nodes, key)
    blob = paramiko.PKey.from_path(former).get_base64()
    _on_all(target, key, lambda user: _REMOVE.format(user=quote(user), blob=quote(blob)))
    _require_refusal(nodes, former)
    former.unlink()
    return lines


def _make(key: Path, fresh: Path) -> None:
    """Generate a key pair, unless a rotation that was stopped has left a whole one."""
    if fresh.exists() and _public_file(fresh).exists():
        return
    fresh.unlink(missing_ok=True)
    comment = _public(key).split()[2:] or [key.parent.name]
    argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment[0], "-f", str(fresh)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        raise SwarmctlError(f"cannot make {fresh}: {done.stderr.strip()}")


def _swap(key: Path, fresh: Path, former: Path) -> None:
    """Record the new key; at no moment is there no key."""
    if not former.exists():
        os.link(key, former)
    fresh.replace(key)
    _finish_swap(key)


def _finish_swap(key: Path) -> None:
    """The last step of a swap, which may have been stopped before it."""
    fresh = key.with_suffix(".new")
    if _public_file(fresh).exists() and not fresh.exists():
        _public_file(fresh).replace(_public_file(key))


def _public_file(key: Path) -> Path:
    return key.with_name(f"{key.name}.pub")


def _public(key: Path) -> str:
    file = _public_file(key)
    try:
        return file.read_text().strip()
    except OSError as fault:
        raise SwarmctlError(
            f"cannot read {file}: {fault.strerror}", f"ssh-keygen -y -f {key} prints it"
        ) from fault


def _add(user: str, public: str) -> str:
    blob = public.split()[1]  # without its kind and comment
    return _ADD.format(user=quote(user), blob=quote(blob), line=quote(public))


def _on_all(target: Target, key: Path, script: Callable[[str], str]) -> None:
    """Run a script for the user of each node, logged in with a key."""
    nodes = _with_key(target.nodes(), key)
    with closing(Shells(lambda: nodes)) as shell, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: shell.run(name, script(nodes[name].user)), nodes))


def _require_login(nodes: Mapping[str, Endpoint], key: Path) -> None:
    """Log in to each node with a key, also on a jump host for which the cluster's key is used."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(_log_in, (_all_the_way(n, key) for n in _with_key(nodes, key).values())))


def _all_the_way(node: Endpoint, key: Path) -> Endpoint:
    jumps = tuple(replace(j, key_file=key) if j.key_file else j for j in node.jumps)
    return replace(node, jumps=jumps)


def _log_in(node: Endpoint) -> None:
    open_ssh(node, CONNECT_TIMEOUT_S).close()


def _require_refusal(nodes: Mapping[str, Endpoint], key: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        accepted = list(pool.map(_accepts, _with_key(nodes, key).values()))
    if names := ", ".join(n for n, yes in zip(nodes, accepted, strict=True) if yes):
        raise SwarmctlError(
            f"the former SSH key is still accepted by {names}",
            "remove it there: /etc/ssh/sshd_config names the files of accepted keys",
        )


def _accepts(node: Endpoint) -> bool:
    try:
        _log_in(node)
    except ManagerError as fault:
        if isinstance(fault.__cause__, paramiko.AuthenticationException):
            return False
        raise
    return True


def _with_key(nodes: Mapping[str, Endpoint], key: Path) -> dict[str, Endpoint]:
    return {name: replace(node, key_file=key) for name, node in nodes.items()}
