"""What a rehearsal runs, it runs in the lab or not at all: else it would be done to the cluster."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

from tests.unit.ansible.filters import ROOT

COMMAND = """#!/bin/sh
echo "${SWARMCTL_LAB-the cluster}: ${0##*/} $*" >> "$LOG"
case "$1 $2" in
  "lab env") if [ "$LAB" ]; then echo "export SWARMCTL_LAB=$LAB"; else exit 1; fi ;;
  "upgrade rehearsal") touch "$3/docker-compose.yml" ;;
esac
"""
PLAY = f"""
- hosts: localhost
  gather_facts: false
  tasks: [{{include_tasks: {ROOT}/playbooks/tasks/rehearse_upgrade.yml}}]
"""


def rehearse(folder: Path, lab: str) -> tuple[int, list[str]]:
    """The exit code, and each command with where it ran."""
    for name in ("swarmctl", "ansible-playbook"):
        (folder / name).write_text(COMMAND)
        (folder / name).chmod(0o755)
    (folder / "play.yml").write_text(PLAY)
    python = folder / "python"  # the commands are looked for beside it
    python.symlink_to(sys.executable)
    settings = {"cluster_name": "my_app", "aws_region": "r", "state_dir": "/s", "upgrade_batch": 2}
    run = subprocess.run(
        [python, "-m", "ansible", "playbook", "-ilocalhost,", "-clocal", f"-e{settings}",
         f"-eansible_python_interpreter={sys.executable}", folder / "play.yml"],
        cwd=ROOT,
        env={
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": f"{ROOT}:{sysconfig.get_path('purelib')}",
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_INVENTORY_ENABLED": "host_list",
            "LOG": str(folder / "log"),
            "LAB": lab,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )  # fmt: skip
    assert (folder / "log").exists(), run.stdout + run.stderr
    assert not list(folder.glob("rehearsal_*")), "its files are removed"
    return run.returncode, (folder / "log").read_text().splitlines()


def test_without_a_lab_nothing_is_built_and_nothing_is_upgraded(tmp_path: Path) -> None:
    code, ran = rehearse(tmp_path, "")
    assert code == 2
    assert not [line for line in ran if "ansible-playbook" in line or "stack deploy" in line]
    assert ran[-1] == "the cluster: swarmctl lab down --name my-app-rehearsal"


def test_each_step_runs_in_the_lab(tmp_path: Path) -> None:
    code, ran = rehearse(tmp_path, "my-app-rehearsal")
    assert code == 0
    steps = [line for line in ran if line.startswith("my-app-rehearsal: ")]
    site, deploy, upgrade = steps
    assert "--inventory=inventory/aws_ec2.yml" in site
    assert site.endswith("playbooks/site.yml")
    assert "swarmctl stack deploy" in deploy
    assert '"upgrade_batch": 2' in upgrade
    assert upgrade.endswith("playbooks/upgrade.yml")
