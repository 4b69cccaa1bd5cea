"""The shell of the faults on a node: sound, bounded, and undone whatever happens."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from swarmctl.chaos.fault import node_script
from swarmctl.chaos.fault.node_fault import NodeFault
from swarmctl.chaos.fault.node_script import NodeScript
from swarmctl.chaos.fault.registry import registered
from swarmctl.chaos.faults.cpu import Cpu
from swarmctl.chaos.faults.disk_full import DiskFull
from swarmctl.chaos.faults.memory import Memory
from swarmctl.chaos.faults.partition import Partition
from tests.unit.chaos.faults.contexts import bare

SCRIPTS = {name: cls.script for name, cls in registered.items() if issubclass(cls, NodeFault)}
KINDS: dict[str, Callable[[NodeScript, str], str]] = {
    "check": node_script.check_script,
    "arm": node_script.arm_script,
    "start": node_script.start_script,
    "in effect": node_script.effect_script,
    "undo": node_script.undo_script,
    "revert": node_script.revert_script,
}


def variables(script: NodeScript, **options: object) -> str:
    return node_script.variables(script, bare(**options), ("10.0.0.1", "10.0.0.2", "fd00::1"))


def test_nine_faults_are_scripts() -> None:
    assert len(SCRIPTS) == 9


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_sound(name: str, tmp_path: Path) -> None:
    files = []
    for kind, make in KINDS.items():
        files.append(str(tmp_path / f"{kind}.sh"))
        Path(files[-1]).write_text(make(SCRIPTS[name], variables(SCRIPTS[name])), encoding="utf-8")
        subprocess.run(["sh", "-n", files[-1]], check=True)
    check = Path(sys.executable).with_name("shellcheck")
    # SC2034: not every script uses every variable there is.
    command = [str(check), "--shell=sh", "--exclude=SC2034", *files]
    found = subprocess.run(command, text=True, capture_output=True, check=False)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_command_can_swallow_the_script_it_is_in(name: str) -> None:
    for make in KINDS.values():
        assert make(SCRIPTS[name], variables(SCRIPTS[name])).endswith("\n} </dev/null\n")


def test_a_fault_has_a_level_of_its_own() -> None:
    assert "level=90\n" in variables(Memory.script)
    assert "level=50\n" in variables(Memory.script, level=50)


def test_the_rules_drop_both_ways_and_let_ssh_pass() -> None:
    _, _, functions = Partition.script.start.rpartition('table="')
    body = 'table="' + functions.replace("rules | nft --file -\n", "rules\n")
    script = variables(Partition.script) + body
    told = subprocess.run(["sh"], input=script, text=True, capture_output=True, check=True).stdout
    assert told.splitlines() == [
        "table inet chaos_20260102_030405_x {",
        "chain prerouting {",
        "type filter hook prerouting priority -350; policy accept;",
        "tcp dport 22 accept",
        "tcp sport 22 accept",
        "ip saddr { 10.0.0.1, 10.0.0.2 } drop",
        "ip6 saddr { fd00::1 } drop",
        "}",
        "chain postrouting {",
        "type filter hook postrouting priority -350; policy accept;",
        "tcp dport 22 accept",
        "tcp sport 22 accept",
        "ip daddr { 10.0.0.1, 10.0.0.2 } drop",
        "ip6 daddr { fd00::1 } drop",
        "}",
        "}",
    ]


def test_the_level_bounds_hold_whatever_is_asked_for() -> None:
    """128 MiB of memory and 64 MiB of disk stay, in KiB."""
    memory = Memory.script.check.partition('[ "$fill" -ge 1024')[0]
    script = variables(Memory.script, level=100) + memory + 'echo "$keep"'
    told = subprocess.run(["sh"], input=script, text=True, capture_output=True, check=True)
    assert told.stdout.split() == ["131072"]
    assert "free - 65536" in DiskFull.script.start


def test_an_undo_that_does_not_work_fails_with_the_reason(tmp_path: Path) -> None:
    """And the undo script stays on the node."""
    home = tmp_path / "runs" / "x"
    home.mkdir(parents=True)
    changed = replace(
        Cpu.script, undo=":\n", remains='[ ! -e "$home/broken" ] || echo "it is broken"\n'
    )
    values = node_script.variables(changed, bare())
    values = values.replace(changed.home("20260102-030405-x"), str(home))
    script = node_script.undo_script(changed, values).replace("systemctl", ":")
    (home / "broken").touch()
    told = subprocess.run(["sh"], input=script, text=True, capture_output=True, check=False)
    assert (told.returncode, told.stderr) == (1, "it is broken\n")
    assert home.exists()
    (home / "broken").unlink()
    for _ in range(2):
        subprocess.run(["sh"], input=script, text=True, check=True)
        assert not home.exists()


def test_a_fault_that_arrives_after_its_undo_is_not_started(tmp_path: Path) -> None:
    """Broken: a slow connection delivers the script after the undo, and the fault stays."""
    changed = replace(Cpu.script, start='touch "$home/started"\n')
    values = node_script.variables(changed, bare())
    home = tmp_path / "x"
    values = values.replace(changed.home("20260102-030405-x"), str(home))
    script = node_script.start_script(changed, values)
    late = subprocess.run(["sh"], input=script, text=True, capture_output=True, check=False)
    assert late.returncode == 1
    assert "undone already" in late.stderr
    home.mkdir()
    (home / "undo").touch()
    subprocess.run(["sh"], input=script, text=True, check=True)
    assert (home / "started").exists()


def test_every_piece_of_a_script_has_the_values_of_the_run() -> None:
    peers = ("10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2")
    values = node_script.variables(Cpu.script, replace(bare(delay_ms=30), ttl_s=89.2), peers)
    assert values.splitlines() == [
        "export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        "run=20260102-030405-x",
        "home=/run/swarmctl-chaos/20260102-030405-x",
        "unit=swarmctl-chaos-20260102-030405-x",
        "ttl=90",
        "level=100",
        "delay_ms=30",
        "peers='10.0.0.1 10.0.0.2'",
        "peers6='fd00::1 fd00::2'",
    ]


@pytest.mark.parametrize("make", [node_script.arm_script, node_script.revert_script])
def test_the_undo_that_is_carried_to_the_node_is_complete(
    make: Callable[[NodeScript, str], str],
) -> None:
    """Broken: the timer's undo does not know what to undo, and the node never heals."""
    values = variables(Partition.script)
    _, _, carried = make(Partition.script, values).partition("<<'END_OF_UNDO'")
    undo = carried.split("\n", 1)[1].partition("END_OF_UNDO")[0]
    assert undo == node_script.undo_script(Partition.script, values)
    assert values in undo
