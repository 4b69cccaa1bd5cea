"""``swarmctl rotate ssh-key``."""

from __future__ import annotations

from swarmctl.cli import console
from swarmctl.cli.options import ClusterOption
from swarmctl.cli.rotation.output import DryRunOption, show


def ssh_key(dry_run: DryRunOption = False, cluster: ClusterOption = None) -> None:
    """A new SSH key for all nodes, and for the nodes that are made later.

    The old key is removed when the new one has been tried on every node and recorded. A rotation
    that was stopped goes on. Other machines with a copy of the cluster's state directory need the
    new key. Exit codes: 0 done; 1 a node did not answer or accept it; 3 refused, nothing was
    changed.
    """
    from swarmctl.cluster import resolve
    from swarmctl.rotation import ssh_key as rotation

    lines = rotation.rotate(resolve(cluster), dry_run=dry_run, note=console.note)
    show(lines, dry_run=dry_run)
