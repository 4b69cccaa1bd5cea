"""Whether a node answers, without asking too long."""

from __future__ import annotations

import socket

import pytest

from swarmctl.errors import UsageError
from swarmctl.swarm.shell import Shells
from swarmctl.swarm.ssh import Endpoint


def test_a_port_that_accepts_is_reachable_and_a_closed_one_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        shells = Shells(lambda: {"wkr1": Endpoint("127.0.0.1", port=port)})
        assert shells.reachable("wkr1")
    assert not shells.reachable("wkr1")


def test_a_machine_that_ec2_lists_no_more_is_not_reachable() -> None:
    """Broken: the run ends with an error right after it has terminated its target."""
    shells = Shells(dict)
    assert not shells.reachable("wkr1")
    with pytest.raises(UsageError, match="unknown node 'wkr1'"):
        shells.run("wkr1", "true")
