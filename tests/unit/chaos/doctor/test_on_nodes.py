"""What runs left on the nodes themselves."""

from __future__ import annotations

import shlex
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from swarmctl.chaos.doctor import inspect_nodes, repair
from swarmctl.chaos.doctor.findings import (
    RepairKind,
    Severity,
    repairs,
)
from swarmctl.chaos.fault.fault import UndoAction
from swarmctl.errors import RefusedError, SwarmctlError
from tests.unit.chaos.doctor.place import Place, pending
from tests.unit.chaos.simulated_swarm import START as NOW

CUT = "20260102-030405-partition"
LEFT = f"""\
now\t1767323040
run\t/run/swarmctl-chaos/{CUT}\t1767322800\tundo
unit\tswarmctl-chaos-{CUT}.timer\tactive
timers\t[{{"next":1767323340000000,"unit":"swarmctl-chaos-{CUT}.timer"}}]
table\tinet\tchaos_20260102_030405_partition
engine\tactive
end\t.
"""


def told(place: Place, text: str, name: str = "wkr1") -> None:
    real = place.lab.run

    def run(node: str, script: str, timeout_s: float = 20.0) -> str:
        heard = real(node, script, timeout_s)
        return text if node == name and "say end" in script else heard

    place.lab.run = run  # type: ignore[method-assign]  # one node says something else


def test_what_a_run_left_on_a_node_and_when_it_goes_by_itself(place: Place) -> None:
    told(place, LEFT)
    (found,) = place.findings()
    assert (found.place, found.severity) == ("wkr1", Severity.ERROR)
    assert f"left by {CUT}: packet filters (table chaos_20260102_030405_partition)" in found.what
    # The node's clock is 5 s behind: 300 s from now, by ours.
    assert "heals by itself at 03:09:05 UTC" in found.what
    assert found.since == NOW - timedelta(seconds=240)
    assert found.command == f"ssh wkr1 'sudo sh /run/swarmctl-chaos/{CUT}/undo'"


def test_a_node_is_healed_by_its_own_undo_script(place: Place) -> None:
    told(place, LEFT)
    place.fix()
    (script,) = [line for line in place.lab.log if 'sh "$home/undo"' in line]
    assert script.startswith("wkr1: ")
    assert f"home=/run/swarmctl-chaos/{CUT}\n" in script


def test_a_node_that_is_healed_is_awaited_until_it_is_ready(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(place, LEFT)
    place.lab.set_node("wkr1", "down")
    monkeypatch.setattr(repair, "_READY_TIMEOUT_S", 0.1)
    (found,) = place.findings()
    assert found.repair is not None
    with pytest.raises(SwarmctlError, match="for wkr1 to be Ready; last seen: down"):
        place.repair(found.repair)
    place.repair(found.repair, lambda s: place.lab.set_node("wkr1", "ready"))


def test_what_a_plan_undoes_is_left_to_the_plan(place: Place) -> None:
    told(place, LEFT)
    place.locked(age_s=100, plan=pending(UndoAction.HEAL_NODE, "wkr1", CUT))
    found = place.findings()
    assert [f.command for f in found] == ["swarmctl chaos revert --from-swarm"] * 2
    assert [repair.kind for repair in repairs(found)] == [RepairKind.FROM_SWARM]


def test_a_node_is_not_healed_while_its_run_may_be_at_work(place: Place) -> None:
    told(place, LEFT)
    (found,) = place.findings()
    assert found.repair is not None
    place.locked(plan=pending(UndoAction.HEAL_NODE, "wkr1", CUT))
    assert repairs(place.findings()) == []
    with pytest.raises(RefusedError, match="ann@laptop"):
        place.repair(found.repair)


def test_a_node_is_not_healed_if_nobody_knows_who_holds_the_lock(place: Place) -> None:
    told(place, LEFT)
    place.lab.fail["snapshot"] = SwarmctlError("no leader")
    assert repairs(place.findings()) == []


@pytest.mark.parametrize(
    ("lines", "what", "command"),
    [
        ("table\tinet\tchaos_20260102_030405_partition", "packet filters", "nft delete table inet"),
        ("queue\teth0", "a queue that delays or loses packets on eth0", "tc qdisc del dev eth0"),
        (
            "file\t/var/lib/docker/swarmctl-chaos-20260102-030405-disk-full\t1767322800",
            "/var/lib/docker/swarmctl-chaos-20260102-030405-disk-full",
            "rm /var/lib/docker/swarmctl-chaos-20260102-030405-disk-full",
        ),
        (
            "file\t/etc/tmpfiles.d/swarmctl-chaos-20260102-030405-disk-full.conf\t1767322800",
            "left by 20260102-030405-disk-full: /etc/tmpfiles.d",
            "rm /etc/tmpfiles.d/",
        ),
        (
            "unit\tswarmctl-chaos-20260102-030405-cpu-load.service\tactive",
            "left by 20260102-030405-cpu: its load",
            "systemctl stop swarmctl-chaos-20260102-030405-cpu-load.service",
        ),
        (
            "unit\tswarmctl-chaos-20260102-030405-cpu.service\tactivating",
            "its undo script (activating)",
            "systemctl stop swarmctl-chaos-20260102-030405-cpu.service",
        ),
        (
            "run\t/var/lib/swarmctl-chaos/20260102-030405-disk-full\t1767322800\t",
            "without undo script",
            "rm -r /var/lib/swarmctl-chaos/20260102-030405-disk-full",
        ),
    ],
)
def test_single_things_without_an_undo_script_are_for_people(
    place: Place, lines: str, what: str, command: str
) -> None:
    told(place, f"now\t1767323040\n{lines}\nengine\tactive\nend\t.\n")
    (found,) = place.fix()
    assert what in found.what
    assert "does not heal by itself" in found.what
    assert f"sudo {command}" in found.command
    assert shlex.split(found.command)[:2] == ["ssh", "wkr1"]


def test_a_queue_belongs_to_the_run_that_delays_packets(place: Place) -> None:
    slow = "20260102-030405-latency"
    home = f"run\t/run/swarmctl-chaos/{slow}\t1767322800\tundo"
    told(place, f"now\t1767323040\nqueue\teth0\n{home}\nengine\tactive\nend\t.\n")
    (found,) = place.findings()
    assert f"left by {slow}: a queue" in found.what


@pytest.mark.parametrize(
    ("state", "what", "command"),
    [
        ("inactive", "docker.service is inactive", "start docker.service"),
        ("hung", "stopped by a signal (SIGSTOP)", "kill --signal=SIGCONT docker.service"),
    ],
)
def test_an_engine_that_stands_still(place: Place, state: str, what: str, command: str) -> None:
    place.lab.set_node("wkr1", "down")
    told(place, f"now\t1767323040\nengine\t{state}\nend\t.\n")
    (found,) = place.fix()
    assert what in found.what
    assert found.command == f"ssh wkr1 sudo systemctl {command}"
    assert found.severity is Severity.WARNING
    home = "run\t/run/swarmctl-chaos/20260102-030405-engine-pause\t1767322800\tundo"
    told(place, f"now\t1767323040\n{home}\nengine\t{state}\nend\t.\n")
    (found,) = place.findings()
    assert found.severity is Severity.ERROR
    assert "engine-pause: docker.service is" in found.what


@pytest.mark.parametrize("text", ["", "now\t1\n", "now\tnever\nend\t.\n", "unit\tx\nend\t.\n"])
def test_an_answer_that_makes_no_sense_is_no_look(text: str) -> None:
    with pytest.raises(SwarmctlError):
        inspect_nodes.parse(text, NOW)


def test_an_old_systemd_tells_no_times() -> None:
    seen = inspect_nodes.parse(LEFT.replace('[{"next"', 'Unknown [{"next"'), NOW)
    (trace,) = seen.traces
    assert trace.heals_at is None
    assert inspect_nodes.parse("later\tx\ty\nend\t.\n", NOW).traces == ()


def test_scripts_are_sound(tmp_path: Path) -> None:
    files = []
    scripts = {"look": inspect_nodes.SCRIPT, "heal": inspect_nodes.heal("/run/x/r y", "r y")}
    for name, text in scripts.items():
        files.append(str(tmp_path / f"{name}.sh"))
        Path(files[-1]).write_text(text, encoding="utf-8")
        subprocess.run(["sh", "-n", files[-1]], check=True)
    check = Path(sys.executable).with_name("shellcheck")
    found = subprocess.run(
        [str(check), "--shell=sh", *files], text=True, capture_output=True, check=False
    )
    assert found.returncode == 0, found.stdout
