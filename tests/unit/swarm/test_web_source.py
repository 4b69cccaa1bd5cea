"""What the page reads, from a manager that is an SSH server in this process."""

from __future__ import annotations

import pytest

from swarmctl.cluster import Target
from swarmctl.errors import SwarmctlError
from swarmctl.web.source import WebSource
from tests.unit.swarm.ssh_server import Site
from tests.unit.swarm.test_swarm_client import Careful, Manager


def test_a_swarm_without_ec2_is_read_with_what_its_managers_know(site: Site) -> None:
    """With ``--host`` there is one manager, no instance, and no node to be asked."""
    _, endpoint = site.add(Manager)
    target = Target((endpoint,))
    with WebSource(target, lambda: target) as source:
        found = source.snapshot()
        assert source.address == "127.0.0.1"
        assert source.with_ports(found) == found
        assert source.whole().taken_at.startswith("2026-01-02")
        assert (source.machines(), source.machines_now(), source.cluster) == ((), (), "")


def test_an_audit_behind_a_proxy_that_keeps_things_back_says_so(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.unit.swarm import test_swarm_client as manager

    info = {"SystemTime": "2026-01-02T03:04:05Z", "Swarm": {"Cluster": {"ID": "the-swarm"}}}
    monkeypatch.setitem(manager.ANSWERS, "/info", info)
    _, endpoint = site.add(Careful)
    target = Target((endpoint,))
    with (
        WebSource(target, lambda: target) as source,
        pytest.raises(SwarmctlError, match=r"refuses to say .* \(HTTP 403\)"),
    ):
        source.checks()
