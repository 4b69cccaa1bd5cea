"""``swarmctl chaos doctor``: every kind of leftover is found; --fix touches what is ours only."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from swarmctl.chaos import experiments
from swarmctl.chaos.doctor import inspect_nodes, repair
from swarmctl.chaos.doctor.collect import Access, alive, collect
from swarmctl.chaos.doctor.evidence import Evidence
from swarmctl.chaos.doctor.examine import examine
from swarmctl.chaos.doctor.findings import (
    EC2,
    SWARM,
    Finding,
    Repair,
    RepairKind,
    Severity,
    repairs,
)
from swarmctl.chaos.experiments import Experiments
from swarmctl.chaos.fault.fault import UndoAction
from swarmctl.chaos.journal.journal import Journal, TargetRecord, Undo, UndoStep
from swarmctl.chaos.journal.runs import Runs, brief
from swarmctl.chaos.world.live import LiveCluster
from swarmctl.cli import console
from swarmctl.cli.main import main
from swarmctl.errors import RefusedError, SwarmctlError
from swarmctl.swarm import lock
from tests.unit.chaos.chaos_fakes import START as NOW
from tests.unit.chaos.chaos_fakes import Box, Clock, Lab, SimulatedCluster, node, service, workers

RUN = "20260102-030000-instance-stop"
ELSEWHERE = lock.Owner("ann", "laptop", 7, f"chaos {RUN}")
QUIET = "now\t1767323045\ntimers\t[]\nengine\tactive\nend\t.\n"


def pending(
    action: str = UndoAction.START_INSTANCE,
    name: str = "wkr2",
    run: str = RUN,
    node_id: str = "",
    state: str = "planned",
    cluster: str = "swarm_app",
) -> Journal:
    ids = (node_id or f"id-{name}", f"i-{name}")
    return Journal(
        id=run,
        experiment=run[16:],
        cluster=cluster,
        region="eu-central-1",
        started_at=NOW.isoformat(),
        parameters={},
        hypothesis="",
        targets=(TargetRecord(name, ids[0], "worker", ids[1]),),
        undo=Undo(state, (UndoStep(action, name, *ids, "by hand"),)),
    )


class Place:
    """A simulated cluster, a runs directory, and what the doctor says of them."""

    def __init__(self, root: Path) -> None:
        self.lab = Lab(Clock(), workers(3), [service("web", 2)])
        self.lab.answers = {"say end": QUIET}
        self.lab.engine.time = NOW.isoformat()
        self.runs = Runs(root / "runs")
        self.done: list[str] = []
        self.access = Access(self.runs, SimulatedCluster(self.lab))

    def locked(
        self, owner: lock.Owner = ELSEWHERE, age_s: float = 10.0, plan: Journal | None = None
    ) -> str:
        """The chaos lock was taken some seconds ago, for a minute."""
        engine = self.lab.engine
        lock_id = lock.acquire(engine, lock.CHAOS, 60, owner, brief(plan) if plan else None)
        taken = (NOW - timedelta(seconds=age_s)).isoformat()
        engine.store["configs"][lock_id]["CreatedAt"] = taken
        return lock_id

    def evidence(self) -> Evidence:
        return collect(self.access, NOW)

    def findings(self) -> tuple[Finding, ...]:
        return examine(self.evidence())

    def repair(self, one: Repair, pause: Callable[[float], None] = time.sleep) -> None:
        assert self.access.cluster is not None
        repair.make(one, self.access.cluster, self, pause)

    def revert(self, run_id: str) -> None:
        self.done.append(f"revert {run_id}")

    def revert_from_swarm(self) -> None:
        self.done.append("from swarm")

    def fix(self) -> tuple[Finding, ...]:
        for one in repairs(self.findings()):
            self.repair(one)
        return self.findings()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.chdir(tmp_path)
    here = Place(tmp_path)
    here.access = replace(here.access, runs=Runs(Path("runs")))
    here.runs = here.access.runs
    return here


def only(findings: tuple[Finding, ...], where: str) -> Finding:
    (found,) = [f for f in findings if f.place == where]
    return found


def test_nothing_is_found_where_nothing_is(place: Place) -> None:
    assert place.findings() == ()
    assert not place.runs.root.exists(), "looking makes no directory"


# -- runs ----------------------------------------------------------------------------------------


def test_a_run_that_is_not_undone_and_the_instance_it_stopped(place: Place) -> None:
    place.runs.save(pending())
    place.lab.states["wkr2"] = "stopped"
    place.lab.set_node("wkr2", "down")
    in_runs, on_node = place.findings()
    assert in_runs.place == "runs/"
    assert in_runs.since == NOW
    assert "instance-stop of wkr2" in in_runs.what
    assert (on_node.place, on_node.severity) == ("wkr2", Severity.ERROR)
    assert on_node.what == f"its instance i-wkr2 is stopped; in the undo plan of {RUN}"
    assert {f.command for f in (in_runs, on_node)} == {f"swarmctl chaos revert {RUN}"}
    assert repairs((in_runs, on_node)) == [Repair(RepairKind.REVERT, RUN)], "once"


def test_a_revert_that_failed_says_why(place: Place) -> None:
    place.runs.save(replace(pending(), undo=Undo("failed", pending().undo.steps, "no capacity")))
    assert "the last try failed: no capacity" in only(place.findings(), "runs/").what


def test_a_run_that_is_at_work_is_left_alone(place: Place) -> None:
    place.runs.save(pending())
    place.lab.states["wkr2"] = "stopped"
    with place.runs.lock():
        found = place.findings()
        assert [f.severity for f in found] == [Severity.WARNING] * 2
        assert f"may be under way, process {os.getpid()} works in runs" in found[0].what
        assert repairs(found) == []
        assert {f.command for f in found} == {"swarmctl chaos doctor"}


def test_a_run_of_another_cluster_is_found_and_not_touched(place: Place) -> None:
    place.runs.save(pending(cluster="shop"))
    found = only(place.findings(), "runs/")
    assert "in the cluster shop" in found.what
    assert found.repair is None


def test_a_journal_that_cannot_be_read_hides_no_other(place: Place) -> None:
    place.runs.save(pending())
    broken = place.runs.directory("20260101-000000-drain")
    broken.mkdir()
    (broken / "journal.json").write_text("{")
    unreadable, run = place.findings()
    assert "cannot read the journal" in unreadable.what
    assert RUN in run.what


def test_another_runs_directory_is_named_in_the_command(place: Place) -> None:
    place.access = replace(place.access, runs=Runs(Path("other")))
    place.access.runs.save(pending())
    found = only(place.findings(), "other/")
    assert found.command == f"swarmctl chaos revert {RUN} --runs-dir other"


# -- locks ---------------------------------------------------------------------------------------


def test_a_lock_whose_time_runs_may_be_anybodys(place: Place) -> None:
    place.locked(plan=pending())
    place.lab.states["wkr2"] = "stopped"
    in_swarm, on_node = place.findings()
    assert in_swarm.place == SWARM
    assert "ann@laptop" in in_swarm.what
    assert "until 03:04:55 UTC" in in_swarm.what
    assert in_swarm.severity == on_node.severity == Severity.WARNING
    assert in_swarm.command == "swarmctl chaos revert --from-swarm"
    assert repairs((in_swarm, on_node)) == []


def test_a_plan_in_a_lock_whose_time_is_over_is_carried_out(place: Place) -> None:
    lock_id = place.locked(age_s=100, plan=pending())
    place.lab.states["wkr2"] = "stopped"
    found = place.findings()
    assert [f.severity for f in found] == [Severity.ERROR] * 2
    assert repairs(found) == [Repair(RepairKind.FROM_SWARM, lock_id)]
    place.fix()
    assert place.done == ["from swarm"]


def test_a_process_of_this_machine_that_is_gone_left_its_lock(place: Place) -> None:
    child = subprocess.Popen(["true"])
    child.wait()
    place.locked(replace(lock.me("chaos x"), pid=child.pid), plan=pending())
    assert only(place.findings(), SWARM).repair is not None


@pytest.mark.parametrize("plan", [None, pending()])
def test_nobody_is_told_to_break_a_lock_whose_process_is_there(
    place: Place, plan: Journal | None
) -> None:
    place.locked(lock.me("chaos x"), plan=plan)
    (found,) = place.fix()
    assert "may be at work" in found.what
    assert found.command == "swarmctl chaos doctor"


def test_the_process_of_a_lock_is_looked_for_on_this_machine_only() -> None:
    me = lock.me("chaos x")
    assert alive(me) is True
    assert alive(replace(me, host=f"not-{socket.gethostname()}")) is None
    assert alive(replace(me, user="somebody-else")) is None
    killed = subprocess.Popen(["sleep", "60"])
    killed.kill()
    os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)  # dead, and nobody has noticed
    assert alive(replace(me, pid=killed.pid)) is False
    killed.wait()
    assert alive(replace(me, pid=killed.pid)) is False


def test_a_plan_that_names_a_command_to_run_is_for_people(place: Place) -> None:
    """Whoever may write configs into the Swarm must not run commands here through --fix."""
    place.locked(age_s=100, plan=pending(UndoAction.REPLACE_INSTANCE))
    found = only(place.findings(), SWARM)
    assert found.severity is Severity.ERROR
    assert found.repair is None


def test_a_local_run_and_its_lock_are_mended_once_from_its_journal(place: Place) -> None:
    place.runs.save(pending())
    place.locked(age_s=100, plan=pending())
    assert repairs(place.findings()) == [Repair(RepairKind.REVERT, RUN)]


@pytest.mark.parametrize(("age_s", "plan"), [(100, None), (100, pending())])
def test_a_lock_that_nothing_hangs_on_is_removed(
    place: Place, age_s: float, plan: Journal | None
) -> None:
    if plan:
        place.runs.save(pending(state="done"))
    place.locked(age_s=age_s, plan=plan)
    (found,) = place.findings()
    assert found.severity is Severity.WARNING
    assert place.fix() == ()
    assert place.done == []


def test_a_lock_without_plan_is_kept_while_its_time_runs(place: Place) -> None:
    place.locked()
    (found,) = place.fix()
    assert "may be at work" in found.what


def test_a_new_lock_is_not_removed_for_an_old_one(place: Place) -> None:
    old = Repair(RepairKind.RELEASE, place.locked(age_s=100))
    lock.release(place.lab.engine, old.subject)
    place.locked()
    place.repair(old)
    place.repair(Repair(RepairKind.FROM_SWARM, old.subject))
    assert place.done == []
    assert len(place.lab.engine.names("configs")) == 1


def test_locks_of_stacks_whose_time_is_over(place: Place) -> None:
    engine = place.lab.engine
    for stack in ("shop", "blog"):
        lock.acquire(engine, lock.of_stack(stack), 60, ELSEWHERE)
        engine.named("configs", f"swarmctl-lock-{stack}")["CreatedAt"] = NOW.isoformat()
    entry = engine.named("configs", "swarmctl-lock-shop")
    entry["CreatedAt"] = (NOW - timedelta(seconds=61)).isoformat()
    (found,) = place.findings()
    assert found.command == "swarmctl stack unlock shop"
    assert place.fix() == ()
    assert engine.names("configs") == ["swarmctl-lock-blog"]


# -- instances and nodes -------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["stopped", "stopping"])
def test_an_instance_that_no_plan_mentions_is_never_started(place: Place, state: str) -> None:
    place.lab.states["wkr1"] = state
    (found,) = place.fix()
    assert found.severity is Severity.WARNING
    assert found.what == f"its instance i-wkr1 is {state}; no run's plan mentions it"
    assert found.command.endswith("aws ec2 start-instances --instance-ids i-wkr1")
    assert not [line for line in place.lab.log if line.startswith("start")]


def test_an_instance_that_starts_is_waited_for(place: Place) -> None:
    place.lab.states["wkr1"] = "pending"
    assert only(place.findings(), "wkr1").command == "swarmctl chaos doctor"


def boxes(*names: str) -> Callable[[str], list[Box]]:
    return lambda cluster: [Box(f"i-{n}", n, "running", "10.0.0.1") for n in names]


def test_members_without_instances_and_instances_that_are_no_members(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place.lab, "instances", boxes("mgr1", "wkr1", "wkr2", "wkr9"))
    place.lab.set_node("wkr3", "down")
    found = place.findings()
    assert "no instance of the cluster has this name" in only(found, "wkr3").what
    assert "runs, but is not in the Swarm" in only(found, "wkr9").what
    assert {f.command for f in found} == {"ansible-playbook playbooks/site.yml"}


def test_a_node_that_is_down_for_no_other_reason(place: Place) -> None:
    place.lab.nodes = [
        replace(n, state="down", updated_at="2026-01-02T03:00:00.123456789Z")
        if n.hostname == "wkr1"
        else n
        for n in place.lab.nodes
    ]
    (found,) = place.findings()
    assert found.what == "the managers call it Down; no run's plan mentions it"
    assert found.since is not None
    assert f"{found.since:%H:%M}" == "03:00"


def test_dead_entries_of_a_node_that_joined_again(place: Place) -> None:
    old = replace(node("wkr2", state="down"), id="id-old")
    chief = replace(node("mgr1", "manager", "down"), id="id-chief")
    place.lab.nodes += [old, chief]
    found = place.findings()
    assert only(found, "wkr2").command == "docker node rm id-old"
    assert only(found, "mgr1").command == "docker node demote id-chief && docker node rm id-chief"
    assert repairs(found) == []
    place.lab.nodes.append(replace(node("wkr3"), id="id-other"))
    assert only(place.findings(), "wkr3").command == "swarmctl chaos doctor", "not Down yet"
    place.runs.save(pending(UndoAction.REPLACE_INSTANCE, node_id="id-old"))
    assert only(place.findings(), "wkr2").command == f"swarmctl chaos revert {RUN}"


def test_a_drain_of_ours_and_one_of_somebodys(place: Place) -> None:
    drained = "20260102-030000-drain"
    place.runs.save(pending(UndoAction.ACTIVATE_NODE, "wkr2", drained))
    place.lab.set_availability("wkr1", "drain")
    place.lab.set_availability("wkr2", "drain")
    place.lab.set_availability("wkr3", "pause")
    found = place.findings()
    assert only(found, "wkr2").severity is Severity.ERROR
    assert only(found, "wkr2").repair == Repair(RepairKind.REVERT, drained)
    for name, what in (("wkr1", "drained"), ("wkr3", "paused")):
        assert only(found, name).severity is Severity.WARNING
        assert only(found, name).what == f"{what}; no run's plan mentions it"
        assert only(found, name).command == f"docker node update --availability active id-{name}"
        assert only(found, name).repair is None


def test_a_plan_that_stops_a_machine_is_no_reason_to_activate_it(place: Place) -> None:
    place.runs.save(pending(UndoAction.START_INSTANCE, "wkr2"))
    place.lab.set_availability("wkr2", "drain")
    assert "no run's plan mentions it" in only(place.findings(), "wkr2").what


# -- what cannot be looked at ----------------------------------------------------------------------


def test_local_journals_are_looked_at_without_any_cluster(place: Place) -> None:
    place.runs.save(pending())
    fault = SwarmctlError("no AWS region is set", "export AWS_REGION=…")
    place.access = Access(place.runs, unreachable={EC2: fault})
    in_runs, in_ec2 = place.findings()
    assert RUN in in_runs.what
    assert in_ec2.place == EC2
    assert in_ec2.command == "export AWS_REGION=…"
    assert repairs((in_runs, in_ec2)) == [], "without EC2 nothing can be put back"


def test_an_ec2_that_does_not_answer_is_a_finding(place: Place) -> None:
    place.lab.fail["instances"] = SwarmctlError("EC2 refused")
    (found,) = place.findings()
    assert (found.place, found.severity) == (EC2, Severity.WARNING)


def test_managers_that_do_not_answer_are_a_finding_and_their_run_is_mended(place: Place) -> None:
    place.runs.save(pending(name="mgr1"))
    place.lab.states["mgr1"] = "stopped"
    place.lab.fail["snapshot"] = SwarmctlError("no manager\n  of it runs")
    found = place.findings()
    assert only(found, SWARM).what == "could not be examined: no manager of it runs"
    assert only(found, "mgr1").repair == Repair(RepairKind.REVERT, RUN)


def test_a_node_that_does_not_answer_is_a_finding(place: Place) -> None:
    def silent() -> str:
        raise SwarmctlError("no answer")

    place.lab.answers = {"say end": silent}
    assert [f.what for f in place.findings()] == ["could not be examined: no answer"] * 4


# -- on the nodes --------------------------------------------------------------------------------

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


# -- the command ---------------------------------------------------------------------------------


@pytest.fixture
def wired(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    console.out.cache_clear()
    monkeypatch.setattr(LiveCluster, "find", lambda cluster, region: place.access.cluster)
    monkeypatch.setattr(experiments, "collect", lambda access: collect(access, NOW))
    return place


def test_nothing_is_0_and_said_in_one_line(
    wired: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["chaos", "doctor"]) == 0
    said = capsys.readouterr().out
    assert said == "nothing left behind on 4 nodes, in the Swarm and in runs/\n"


def test_findings_are_1_grouped_by_place_with_their_commands(
    wired: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    wired.lab.set_availability("wkr1", "drain")
    wired.lab.states["wkr1"] = "stopped"
    assert main(["chaos", "doctor"]) == 1
    said = capsys.readouterr().out
    assert sum(line.startswith(" wkr1 ") for line in said.splitlines()) == 1
    assert "→ docker node update --availability active id-wkr1" in said
    assert said.endswith("0 errors, 2 warnings; --fix repairs 0 of them\n")


def test_what_is_mended_is_0_and_found_no_more(
    wired: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    wired.locked(age_s=100)
    assert main(["chaos", "doctor", "--fix", "--format", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["findings"] == said["failed"] == []
    assert len(said["mended"]) == 1
    assert main(["chaos", "doctor", "--fix"]) == 0


def test_what_cannot_be_mended_stays_and_hinders_nothing_else(
    wired: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wired.runs.save(pending())
    wired.locked(age_s=100)

    def fails(this: Experiments, journal: Journal) -> None:
        raise SwarmctlError("no capacity")

    monkeypatch.setattr(Experiments, "_revert", fails)
    assert main(["chaos", "doctor", "--fix"]) == 1
    said = capsys.readouterr()
    assert f"revert {RUN}: no capacity" in said.err
    assert said.out.endswith(
        "1 repaired, 1 failed; 1 error, 0 warnings left; "
        "--fix repairs only what a run's plan or undo script accounts for\n"
    )


def test_json_has_what_other_programs_need(
    wired: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    wired.runs.save(pending())
    assert main(["chaos", "doctor", "--format", "json"]) == 1
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert said["nodes"] == ["mgr1", "wkr1", "wkr2", "wkr3"]
    (found,) = said["findings"]
    assert datetime.fromisoformat(found.pop("since")) == NOW
    assert found == {
        "place": "runs/",
        "severity": "error",
        "what": f"{RUN} is not undone: instance-stop of wkr2",
        "mend": f"swarmctl chaos revert {RUN}",
        "fixable": True,
    }


def test_no_region_is_a_finding_not_a_crash(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    console.out.cache_clear()
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    assert main(["chaos", "doctor", "--runs-dir", str(tmp_path)]) == 1
    assert "no AWS region is set" in capsys.readouterr().out
