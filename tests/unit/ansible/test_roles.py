"""What holds for all roles: documented, typed, complete; and the scripts they run are valid."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

from tests.unit.ansible.filters import load_filters

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir() if (path / "tasks").is_dir())
PLAYBOOKS = (
    "site",
    "provision",
    "swarm",
    "deploy",
    "teardown",
    "shrink",
    "replace_node",
    "reap_nodes",
)


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("role", ROLES)
def test_every_default_has_a_type_and_a_description(role: str) -> None:
    folder = ROOT / "roles" / role
    options: dict[str, Any] = {}
    for entry in load(folder / "meta/argument_specs.yml")["argument_specs"].values():
        options |= entry["options"]
    assert set(options) == set(load(folder / "defaults/main.yml") or {})
    assert all(option["type"] and option["description"] for option in options.values())


@pytest.mark.parametrize("role", ROLES)
def test_every_role_says_what_it_is(role: str) -> None:
    folder = ROOT / "roles" / role
    assert (folder / "README.md").read_text().startswith(f"# {role}\n")
    assert load(folder / "meta/main.yml")["galaxy_info"]["description"]


@pytest.mark.parametrize("role", ROLES)
def test_variables_carry_the_prefix_of_their_role(role: str) -> None:
    folder = ROOT / "roles" / role
    for path in [*folder.glob("defaults/*.yml"), *folder.glob("vars/*.yml")]:
        assert all(name.startswith(f"{role}_") for name in load(path) or {}), path


def test_settings_the_preflight_checks_are_settings_a_user_has() -> None:
    checked = load(ROOT / "roles/preflight/defaults/main.yml")["preflight_settings"]
    assert set(checked) <= set(load(ROOT / "inventory/group_vars/all.yml"))


def test_every_family_of_ami_knows_its_vendor_and_user() -> None:
    families = load(ROOT / "inventory/group_vars/all.yml")["ami_families"]
    users = {name: family["user"] for name, family in families.items()}
    assert users == {"debian13": "admin", "ubuntu2404": "ubuntu", "al2023": "ec2-user"}
    assert all(family["owner"] and family["name"] for family in families.values())


@pytest.mark.parametrize("distribution", ["Debian", "Ubuntu", "Amazon"])
def test_every_distribution_knows_its_packages(distribution: str) -> None:
    names = load(ROOT / f"roles/docker_engine/vars/{distribution}.yml")
    assert names["docker_engine_distribution_packages"]
    assert ("docker_engine_repository_path" in names) is True


def test_user_data_is_a_shell_script() -> None:
    source = (ROOT / "roles/ec2_instances/templates/user_data.sh.j2").read_text()
    script = jinja2.Template(source, undefined=jinja2.StrictUndefined).render()
    assert script.startswith("#!/bin/sh\n")
    subprocess.run(["sh", "-n"], input=script, text=True, check=True)


def test_the_engine_api_and_tokens_stay_private() -> None:
    join = load(ROOT / "roles/swarm/tasks/join.yml")
    touching = [task for task in join if "token" in str(task).lower()]
    assert touching
    assert all(task.get("no_log") is True for task in touching)


def test_no_command_waits_for_ever_for_an_engine_or_a_boot() -> None:
    """A paused Engine accepts connections and never answers."""
    commands = [
        str(task["ansible.builtin.command"]["argv"])
        for path in ROOT.glob("roles/*/tasks/*.yml")
        for task in load(path)
        if "ansible.builtin.command" in task
    ]
    waiting = [c for c in commands if re.search(r"\b(docker|swarm_docker|cloud-init)\b", c)]
    assert len(waiting) > 5
    assert [c for c in waiting if not re.match(r"(\['timeout', |{{ swarm_docker)", c)] == []
    assert load(ROOT / "roles/swarm/vars/main.yml")["swarm_docker"][0] == "timeout"


def test_no_task_hides_failures() -> None:
    for path in [*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("playbooks/*.yml")]:
        assert not re.search(r"^\s*ignore_errors:", path.read_text(), re.MULTILINE), path


def test_a_bad_setting_stops_the_run_before_any_call() -> None:
    """Nothing listens at the endpoint: had anything been called, that would be the error."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),  # filters import swarmctl: this checkout's
        "HOME": os.environ.get("HOME", "/tmp"),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_EC2_METADATA_DISABLED": "true",
        "ANSIBLE_NOCOLOR": "1",
    }
    run = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            "playbooks/site.yml",
            "-e",
            "managers=2 docker_engine_source=snap worker=5",
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 2
    assert "value of managers must be one of: 1, 3, 5, 7, got: 2" in run.stdout
    assert "value of docker_engine_source" in run.stdout
    assert "worker is no setting, and nothing reads it: did you mean workers?" in run.stdout
    assert "Provision the VPC" not in run.stdout


def test_a_variable_of_a_role_is_not_taken_for_a_misspelt_setting() -> None:
    """discovery_image_base is almost discovery_image, and registry_refresh_spread …_enabled."""
    names = load_filters("preflight", "misspelt")
    assert {"discovery_image_base", "registry_refresh_spread"} <= names._of_roles()


def test_the_agents_image_has_another_tag_when_a_file_of_the_package_changes(
    tmp_path: Path,
) -> None:
    """Broken: a changed agent is not built, and the old one goes on."""
    source_tag = load_filters("discovery", "source_tag").source_tag
    (tmp_path / "stacks/discovery/image").mkdir(parents=True)
    (tmp_path / "swarmctl").mkdir()
    for name in ("pyproject.toml", "requirements.txt", "stacks/discovery/image/Dockerfile"):
        (tmp_path / name).write_text("")
    tags = [source_tag(str(tmp_path), "debian"), source_tag(str(tmp_path), "ubuntu")]
    for name in ("a.py", "b.j2", "c.json", "d.yml", "py.typed"):
        (tmp_path / "swarmctl" / name).write_text("x")
        tags.append(source_tag(str(tmp_path), "debian"))
    assert len(set(tags)) == len(tags)


def test_every_playbook_a_person_runs_says_what_it_does() -> None:
    for name in PLAYBOOKS:
        assert (ROOT / f"playbooks/{name}.yml").read_text().startswith("---\n# "), name
