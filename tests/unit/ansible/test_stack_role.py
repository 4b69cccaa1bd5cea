"""The role ``stack`` runs swarmctl; here a script that records how it was called."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.unit.ansible.filters import ROOT

RECORDER = """#!{python}
import json, pathlib, sys
seen = {{"argv": sys.argv[1:], "stdin": sys.stdin.read()}}
pathlib.Path({file!r}).write_text(json.dumps(seen))
print("1 replica runs")
"""


def called(folder: Path, **item: Any) -> dict[str, Any]:
    """How the role calls swarmctl to deploy one stack."""
    script, seen = folder / "swarmctl", folder / "seen.json"
    script.write_text(RECORDER.format(python=sys.executable, file=str(seen)))
    script.chmod(0o755)
    variables = {
        "stack_list": [{"name": "web", **item}],
        "stack_swarmctl": str(script),
        "stack_manager": "localhost",
        "cluster_name": "x",
        "aws_region": "eu-central-1",
        "state_dir": str(folder),
    }
    play = folder / "play.yml"
    role = {"ansible.builtin.import_role": {"name": str(ROOT / "roles/stack")}}
    play.write_text(yaml.dump([{"hosts": "localhost", "gather_facts": False, "tasks": [role]}]))
    ran = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            *("-i", "localhost,", "-c", "local", str(play), "-e", json.dumps(variables)),
        ],
        env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "default", "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    found: dict[str, Any] = json.loads(seen.read_text())
    return found


def test_single_values_are_in_no_process_list(tmp_path: Path) -> None:
    """Broken: every user of this machine reads them in ``ps``."""
    values = {"db.password": "hunter2 = x", "web.replicas": 6, "on": True, "text": "a\nb"}
    seen = called(tmp_path, set=values)
    assert not [word for word in seen["argv"] if "hunter2" in word]
    assert "--set=-" in seen["argv"]
    assert seen["stdin"].split("\n")[:4] == [
        "db.password=hunter2 = x",
        "web.replicas=6",
        "on=true",
        'text="a\\nb"',
    ]


def test_without_single_values_none_are_read(tmp_path: Path) -> None:
    seen = called(tmp_path)
    assert "--set=-" not in seen["argv"]
    assert seen["stdin"].strip() == ""


def test_logging_stands_for_the_values_of_its_driver(tmp_path: Path) -> None:
    own = {"awslogs.region": "eu-west-1", "web.replicas": 2}
    lines = called(tmp_path, logging="awslogs", set=own)["stdin"].split()
    assert lines[:4] == [
        "logging=awslogs",
        "awslogs.region=eu-west-1",
        "awslogs.group=/swarmctl/x/web",
        "web.replicas=2",
    ]
    assert called(tmp_path, logging="json-file")["stdin"].split() == ["logging=json-file"]
