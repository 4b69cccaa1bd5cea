"""``swarmctl node trust``: record host keys before anything connects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swarmctl.cli import completion, console
from swarmctl.cli.options import ClusterOption, time_option
from swarmctl.errors import UsageError
from swarmctl.state import outside_aws

if TYPE_CHECKING:
    from swarmctl.cloud.host_keys import HostKey
    from swarmctl.cloud.instances import Instance


def trust(
    nodes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NODE]...",
            help="Full or short names, or instance ids.  [default: all without a recorded key]",
            autocompletion=completion.nodes,
            show_default=False,
        ),
    ] = None,
    keys: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            metavar="KEY",
            help="The public host key of the one NODE, as in its "
            "/etc/ssh/ssh_host_ed25519_key.pub; repeatable. The console is not read.",
        ),
    ] = None,
    known_hosts: Annotated[
        Path | None,
        typer.Option(
            "--known-hosts",
            metavar="FILE",
            help="Take the keys from this file, where they are under the nodes' addresses, such as "
            "~/.ssh/known_hosts. The console is not read.",
        ),
    ] = None,
    timeout: Annotated[
        float, time_option("--timeout", "Give up when a console shows no keys for this time.")
    ] = 300,
    cluster: ClusterOption = None,
) -> None:
    """Record the SSH host keys that the nodes' consoles show, before anything connects to them.

    The playbooks do it for new instances; of machines that are not EC2's, give --known-hosts or
    --key. Keys that are recorded stay as they are unless the node is named.
    """
    from swarmctl import host_keys
    from swarmctl.cluster import find, machines_of

    given = [_parsed(key) for key in keys or ()]
    if given and len(nodes or ()) != 1:
        raise UsageError("--key belongs to one node", "name that node, and no other")
    if given and known_hosts:
        raise UsageError("--key and --known-hosts exclude each other")
    ec2 = machines_of(cluster)
    _, instances = find(ec2, cluster)
    if nodes:
        chosen = [_named(name, instances) for name in nodes]
    else:
        alive = [i for i in instances if i.state in ("pending", "running")]
        chosen = host_keys.without_record(alive)
    if given:
        host_keys.record(chosen[0], given)
        _show(chosen[0], given)
        return
    if known_hosts:
        host_keys.record_from_file(known_hosts.expanduser(), chosen, _show)
    elif chosen and outside_aws(chosen[0].cluster):
        raise UsageError(
            "machines that are not EC2's have no console to read the keys from",
            "take those of machines that you have logged in to: --known-hosts ~/.ssh/known_hosts; "
            "or give one node's: --key 'ssh-ed25519 AAAA…'",
        )
    else:
        host_keys.record_from_consoles(ec2, chosen, timeout, _show)
    if not chosen:
        console.note("the host keys of all running nodes are recorded")


def _show(instance: Instance, keys: Sequence[HostKey]) -> None:
    for key in keys:
        console.emit(f"{instance.name} ({instance.id}): {key.kind} {key.fingerprint} recorded")


def _parsed(line: str) -> HostKey:
    from swarmctl.cloud.host_keys import host_key

    key = host_key(line)
    if key is None:
        raise UsageError(
            "--key is not a public host key", "give one whole line such as 'ssh-ed25519 AAAA…'"
        )
    return key


def _named(name: str, instances: Sequence[Instance]) -> Instance:
    from swarmctl.reading.names import unknown

    found = [i for i in instances if name in (i.name, i.id)] or [
        i for i in instances if name and i.name.endswith(f"_{name}")
    ]
    if not found:
        raise unknown("node", name, (i.name for i in instances))
    if len(found) > 1:
        ids = ", ".join(i.id for i in found)
        raise UsageError(f"several instances have the name {name!r}", f"use an id: {ids}")
    return found[0]
