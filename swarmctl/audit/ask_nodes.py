"""What only a node itself can tell: its certificate, its disk, its images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from cryptography import x509

from swarmctl.audit.facts import NodeFacts, Space
from swarmctl.errors import SwarmctlError
from swarmctl.swarm.observe import images
from swarmctl.swarm.observe.host_ports import Shell

_TIMEOUT_S = 15.0
_AT_ONCE = 16

# Sections, each after a line with its name. The certificate is public; the key is another file.
_SCRIPT = f"""
root=$(docker info --format '{{{{.DockerRootDir}}}}') || exit
echo === images; {images.SCRIPT} || exit
echo === bytes; df -Pk "$root" | tail -n 1
echo === inodes; df -Pi "$root" | tail -n 1
echo === certificate; cat "$root/swarm/certificates/swarm-node.crt" || true
"""


def ask_nodes(
    shell: Shell, hosts: Mapping[str, str]
) -> tuple[dict[str, NodeFacts], images.NodeImages]:
    """Ask nodes, all at the same time.

    Args:
        shell: commands on the nodes.
        hosts: hostname by node id.

    Returns:
        By hostname, what those tell that answered; and their images, with why others did not.
    """
    told, silent = ask_all(shell, hosts.values(), _SCRIPT)
    return {host: node_facts(found) for host, found in told.items()}, images.NodeImages(
        {
            id_: images.image_names(told[host].get("images", "").splitlines())
            for id_, host in hosts.items()
            if host in told
        },
        silent,
    )


def ask_all(
    shell: Shell, hosts: Iterable[str], script: str
) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Run a script on nodes, all at the same time.

    Args:
        shell: commands on the nodes.
        hosts: their hostnames.
        script: prints sections, each after a line ``=== NAME``.

    Returns:
        By hostname, the sections of those that answered; and why others did not.
    """

    def ask(host: str) -> dict[str, str] | str:
        try:
            return sections(shell.run(host, script, _TIMEOUT_S))
        except SwarmctlError as fault:
            return fault.message

    asked = tuple(dict.fromkeys(hosts))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = dict(zip(asked, pool.map(ask, asked), strict=True))
    told = {host: found for host, found in answers.items() if not isinstance(found, str)}
    return told, {host: why for host, why in answers.items() if isinstance(why, str)}


def sections(output: str) -> dict[str, str]:
    """The content of each section by its name."""
    parts = (part.partition("\n") for part in output.split("=== ")[1:])
    return {name.strip(): content for name, _, content in parts}


def node_facts(sections: Mapping[str, str]) -> NodeFacts:
    """What a node's answer says; what cannot be read is left out."""
    certificate = None
    try:
        read = x509.load_pem_x509_certificate(sections.get("certificate", "").encode())
        certificate = (read.not_valid_before_utc, read.not_valid_after_utc)
    except ValueError:
        pass
    disk, inodes = (_space(sections.get(name, "")) for name in ("bytes", "inodes"))
    return NodeFacts(
        certificate,
        Space(disk.free << 10, disk.total << 10) if disk else None,
        inodes if inodes and inodes.total else None,
    )


def _space(line: str) -> Space | None:
    """From a line of ``df -P``: file system, total, used, free, …"""
    words = line.split()
    try:
        return Space(free=int(words[3]), total=int(words[1]))
    except (IndexError, ValueError):
        return None
