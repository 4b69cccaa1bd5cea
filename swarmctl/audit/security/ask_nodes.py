"""What only a node itself can tell of how it is protected."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from swarmctl.audit.ask_nodes import ask_all
from swarmctl.audit.security.facts import NodeSecurity
from swarmctl.swarm.observe.host_ports import Shell

# Sections, each after a line with its name. Of a process with a secret only pid and program are
# told; [N] keeps the search from finding itself. What stat and sshd cannot tell is left out.
_SCRIPT = r"""
for program in ps ss; do
  command -v "$program" >/dev/null || { echo "it has no $program" >&2; exit 1; }
done
root=$(docker info --format '{{.DockerRootDir}}') || exit
echo === socket; stat -Lc '%a %U:%G' /var/run/docker.sock
echo === tcp; ps -C dockerd -o args= | grep -oE 'tcp://[^ ]+'
ss -Hltn 'sport = :2375 or sport = :2376' | awk '{print $4}'
echo === daemon-file; stat -Lc '%a %U:%G' /etc/docker/daemon.json 2>/dev/null
echo === daemon; cat /etc/docker/daemon.json 2>/dev/null
keys=$root/swarm/certificates
echo === keys; stat -c '%a %U %n' "$keys" "$keys/swarm-node.key"
echo === ssh; sshd -T 2>/dev/null || /usr/sbin/sshd -T 2>/dev/null
echo === secrets; ps -eo pid=,args= | grep -E 'SWMTK[N]-1-|SWMKE[Y]-1-' | awk '{print $1, $2}'
true
"""


def ask_nodes(
    shell: Shell, hosts: Mapping[str, str]
) -> tuple[dict[str, NodeSecurity], dict[str, str]]:
    """Ask nodes, all at the same time.

    Args:
        shell: commands on the nodes.
        hosts: hostname by node id.

    Returns:
        By hostname, what those tell that answered; and why others did not.
    """
    told, silent = ask_all(shell, hosts.values(), _SCRIPT)
    return {host: node_security(found) for host, found in told.items()}, silent


def node_security(answer: Mapping[str, str]) -> NodeSecurity:
    """What the sections of a node's answer say; what cannot be read is left out."""
    found = {name: content.strip() for name, content in answer.items()}
    lines = {name: tuple(content.splitlines()) for name, content in found.items()}
    daemon = _json(found.get("daemon", ""))
    opened = [h for h in (daemon or {}).get("hosts") or () if str(h).startswith("tcp:")]
    return NodeSecurity(
        socket=found.get("socket", ""),
        tcp=(*lines.get("tcp", ()), *map(str, opened)),
        daemon_file=found.get("daemon-file", ""),
        daemon=daemon,
        keys=lines.get("keys", ()),
        ssh={k: v for k, _, v in (line.partition(" ") for line in lines.get("ssh", ()))},
        secrets=lines.get("secrets", ()),
    )


def _json(text: str) -> dict[str, Any] | None:
    try:
        read = json.loads(text or "{}")
    except ValueError:
        return None
    return read if isinstance(read, dict) else None
