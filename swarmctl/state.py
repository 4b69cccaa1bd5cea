"""Where swarmctl and the playbooks keep what they must remember between runs.

``$SWARMCTL_STATE``, or ``~/.local/state/swarmctl``. The playbooks compute the same path in
``inventory/group_vars/all.yml``. Inside it::

    clusters/<cluster_name>/id_ed25519      the cluster's SSH key (mode 0600)
    clusters/<cluster_name>/known_hosts     host keys, under the EC2 instance ids of the nodes
    clusters/<cluster_name>/machines.json   machines that are not EC2's: see own_machines.py
    clusters/<cluster_name>/unlock_key.vault    managers' unlock key, unless it is in SSM
    clusters/<cluster_name>/names.json      names seen in its Swarm, for completion
    labs/<lab>/                             a local AWS: its pid, port, log, and a state of its own
"""

from __future__ import annotations

import os
from pathlib import Path


def state_dir() -> Path:
    """The directory all state lives in; it may not exist yet."""
    configured = os.environ.get("SWARMCTL_STATE")
    return Path(configured) if configured else Path.home() / ".local" / "state" / "swarmctl"


def cluster_dir(cluster: str) -> Path:
    """The directory of one cluster's key and known hosts.

    Args:
        cluster: a name that ``reading.names.cluster_name`` has passed: it becomes a path.
    """
    return state_dir() / "clusters" / cluster


def machines_file(cluster: str) -> Path:
    """The record of a cluster's machines, if they are not EC2's; see ``own_machines.py``."""
    return cluster_dir(cluster) / "machines.json"


def outside_aws(cluster: str) -> bool:
    """Whether a cluster's machines are not EC2's: then it has nothing in AWS to look for."""
    return bool(cluster) and machines_file(cluster).is_file()
