"""An Engine of another package is not replaced, whatever kept it from answering."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.unit.ansible.filters import ROOT


@pytest.mark.parametrize(
    ("source", "owner", "refused"),
    [
        ("distribution", "docker-ce: /usr/bin/dockerd", True),
        ("docker_repository", "docker.io: /usr/sbin/dockerd", True),
        ("distribution", "docker.io: /usr/sbin/dockerd", False),
        ("docker_repository", "docker-ce: /usr/bin/dockerd", False),
        ("distribution", "", False),
    ],
)
def test_an_engine_of_another_package_stops_the_run(
    source: str, owner: str, refused: bool, tmp_path: Path
) -> None:
    query = tmp_path / "dpkg-query"
    query.write_text(f'#!/bin/sh\n[ -z "{owner}" ] || echo "{owner}"\n')
    query.chmod(0o755)
    role = {
        "ansible.builtin.include_role": {
            "name": str(ROOT / "roles/docker_engine"),
            "tasks_from": "foreign",
            "rolespec_validate": False,
        },
    }
    variables = {
        "docker_engine_source": source,
        "docker_engine_distribution_packages": ["docker.io"],
        "docker_engine_answer": {"stderr_lines": ["permission denied"]},
    }
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": variables,
        "tasks": [role],
    }
    (tmp_path / "play.yml").write_text(yaml.dump([play]))
    ran = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "play.yml"],
        cwd=tmp_path,
        env={
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "ANSIBLE_LOCALHOST_WARNING": "false",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ran.returncode != 0) is refused, ran.stdout + ran.stderr
    words = " ".join(ran.stdout.split())
    assert ("would replace it" in words) is refused
    assert ("permission denied" in words) is refused
