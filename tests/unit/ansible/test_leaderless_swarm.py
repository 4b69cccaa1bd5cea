"""A Swarm without a leader ends the run on every host, and the record of it stays as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MANAGERS = ("c_mgr1", "c_mgr2", "c_mgr3")

# A manager without a leader is active, and knows no cluster id.
ENGINE = """#!/bin/sh
echo "$@" >> "$ENGINE_LOG"
cat <<'END' | tr -d '\\n'
{"Name": "c_mgr1", "Swarm": {"LocalNodeState": "active", "ControlAvailable": true,
"NodeID": "n", "NodeAddr": "127.0.0.1", "Error": "The swarm does not have a leader",
"Cluster": {"ID": ""}}}
END
"""
PLAY = """
- hosts: all
  gather_facts: false
  roles: [{role: swarm}]
"""


@pytest.mark.parametrize(("limit", "record"), [("all", None), ("c_mgr2:c_mgr3", "abc")])
def test_without_a_leader_no_host_goes_on_and_nothing_is_recorded(
    tmp_path: Path, limit: str, record: str | None
) -> None:
    (tmp_path / "docker").write_text(ENGINE)
    (tmp_path / "docker").chmod(0o755)
    (tmp_path / "play.yml").write_text(PLAY)
    (tmp_path / "hosts").write_text("[managers]\n" + "\n".join(MANAGERS) + "\n")
    if record is not None:
        (tmp_path / "swarm_id").write_text(record)
    settings = {
        "swarm_members": list(MANAGERS),
        "swarm_planned_managers": list(MANAGERS),
        "swarm_record": str(tmp_path / "swarm_id"),
        "swarm_advertise_address": "127.0.0.1",
        "swarm_address_pool": "10.224.0.0/12",
        "swarm_standard_labels": {},
        "swarm_early_answer": "",
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        # Were the run to go on, it would give this very machine the name of a node.
        "ansible_become_exe": "/bin/false",
    }
    run = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            f"--inventory={tmp_path}/hosts",
            f"--limit={limit}",
            f"--extra-vars={settings!r}",
            tmp_path / "play.yml",
        ],
        cwd=ROOT,
        env={
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "HOME": str(tmp_path),
            "ENGINE_LOG": str(tmp_path / "log"),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_INVENTORY_ENABLED": "ini",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_BECOME_ALLOW_SAME_USER": "1",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 2, run.stdout + run.stderr
    assert "The swarm does not have a leader" in run.stdout
    assert "TASK [swarm : Record the Swarm" not in run.stdout
    kept = (tmp_path / "swarm_id").read_text() if record is not None else None
    assert kept == record
    assert (tmp_path / "swarm_id").exists() is (record is not None)
    assert {line.split()[0] for line in (tmp_path / "log").read_text().splitlines()} == {"info"}
