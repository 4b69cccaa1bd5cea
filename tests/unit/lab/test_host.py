"""A lab takes what is free on this computer, and says what holds the rest."""

from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, cast

import docker
import pytest

from swarmctl.errors import SwarmctlError
from swarmctl.lab.host import addresses, limits
from swarmctl.lab.host.addresses import CANDIDATES, Taken, conflict, first_free, taken_here
from swarmctl.lab.host.room import MACHINE_MEMORY, SPARE_MEMORY, room

ROUTES = """\
Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
br-1\t00002A0A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
tun0\t00002C0A\t00000000\t0001\t0\t0\t0\t0000FEFF\t0\t0\t0
"""


def taken(cidr: str, holder: str) -> Taken:
    return Taken(IPv4Network(cidr), holder)


def network(name: str, subnet: str, lab: str = "") -> dict[str, Any]:
    labels = {"swarmctl.lab": lab} if lab else None
    return {"Name": name, "Labels": labels, "IPAM": {"Config": [{"Subnet": subnet}]}}


def test_routes_are_read_as_the_kernel_writes_them() -> None:
    assert addresses.read_routes(ROUTES) == (
        taken("10.42.0.0/16", "the route of br-1"),
        taken("10.44.0.0/15", "the route of tun0"),
    )


def test_the_first_free_range_overlaps_no_network_and_no_route() -> None:
    assert first_free(()) == "10.42.0.0/16"
    assert first_free([taken("10.42.7.0/24", "a"), taken("10.43.0.0/16", "b")]) == "10.44.0.0/16"
    assert first_free([taken("10.0.0.0/8", "a VPN")]) == "172.20.0.0/16"
    with pytest.raises(SwarmctlError, match="no address range"):
        first_free(Taken(range_, "x") for range_ in CANDIDATES)


def test_a_taken_range_is_refused_with_its_holder_and_a_free_one() -> None:
    assert conflict("10.42.0.0/16", ()) == ""
    assert conflict("10.42.0.0/16", [taken("10.42.0.0/20", "the Docker network web")]) == (
        "10.42.0.0/16 is taken on this machine: the Docker network web uses 10.42.0.0/20; "
        "choose another vpc_cidr, for example 10.43.0.0/16"
    )


def test_other_labs_networks_and_routes_are_taken_and_ones_own_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "route").write_text(ROUTES)
    monkeypatch.setattr(addresses, "ROUTES", tmp_path / "route")

    class Api:
        def networks(self) -> list[dict[str, Any]]:
            return [
                network("swarmctl-mine-vpc-1", "10.42.0.0/16", "mine"),
                network("swarmctl-other-vpc-1", "10.43.0.0/16", "other"),
                network("bridge", "172.17.0.0/16"),
                {"Name": "host", "Labels": None, "IPAM": {"Config": None}},
            ]

    client = cast(docker.DockerClient, type("Client", (), {"api": Api()})())
    assert taken_here(client, "mine") == (
        taken("10.43.0.0/16", "the Docker network swarmctl-other-vpc-1 of the lab other"),
        taken("172.17.0.0/16", "the Docker network bridge"),
        taken("10.44.0.0/15", "the route of tun0"),
    )


def usual() -> dict[str, int]:
    """Values of a kernel that nobody has tuned."""
    return {
        "fs.inotify.max_user_instances": 128,
        "fs.inotify.max_user_watches": 65536,
        "kernel.pid_max": 32768,
        "net.ipv4.neigh.default.gc_thresh1": 128,
        "net.ipv4.neigh.default.gc_thresh2": 512,
        "net.ipv4.neigh.default.gc_thresh3": 1024,
    }


def test_the_usual_limits_are_enough_for_nineteen_machines() -> None:
    assert limits.too_low(19, usual()) == {}
    assert limits.too_low(50, usual()) == {
        "fs.inotify.max_user_instances": 282,
        "net.ipv4.neigh.default.gc_thresh3": 5256,
        "net.ipv4.neigh.default.gc_thresh2": 2628,
        "net.ipv4.neigh.default.gc_thresh1": 657,
    }


def test_limits_are_only_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SYSCTL", tmp_path)
    for key, value in usual().items():
        path = tmp_path.joinpath(*key.split("."))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{value}\n")
    limits.raise_to(limits.too_low(50, limits.read()))
    assert limits.too_low(50, limits.read()) == {}
    assert limits.read()["kernel.pid_max"] == 32768


def test_a_limit_that_cannot_be_set_says_where_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SYSCTL", tmp_path)
    with pytest.raises(SwarmctlError, match=r"cannot set kernel.pid_max to 5: No such file"):
        limits.raise_to({"kernel.pid_max": 5})


def test_there_is_room_for_what_memory_and_limits_allow() -> None:
    memory = SPARE_MEMORY + 10 * MACHINE_MEMORY
    assert room(memory, usual(), running=3, starting=4).machines == 6
    full = room(100 * memory, usual(), running=15, starting=4)
    assert full.machines == 0
    assert "fs.inotify.max_user_instances is 128, enough for 19 machines" in full.reason
    scarce = room(SPARE_MEMORY, usual(), running=0, starting=0)
    assert scarce.machines == 0
    assert scarce.reason == "0.8 GiB of memory is available, and a machine needs 128 MiB"
