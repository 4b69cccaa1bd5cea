"""Modules for AWS run in Ansible's own process, and do the same as in one of their own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.unit.lab.conftest import KEY_ID, SECRET

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

ROOT = Path(__file__).resolve().parents[4]
# Here no process of a module could be started; `async` needs one.
PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars: {ansible_python_interpreter: /nowhere, net: of_a_module}
  module_defaults: {group/amazon.aws.aws: {region: eu-central-1}}
  tasks:
    - amazon.aws.ec2_vpc_net: {name: "{{ net }}", cidr_block: 10.96.0.0/24, tags: {a: "1"}}
      check_mode: true
      register: would
    - amazon.aws.ec2_vpc_net_info: {filters: {"tag:Name": "{{ net }}"}}
      register: before
    - amazon.aws.ec2_vpc_net: {name: "{{ net }}", cidr_block: 10.96.0.0/24, tags: {a: "1"}}
      loop: [first, again]
      register: made
    - amazon.aws.ec2_vpc_net_info: &info {filters: {"tag:Name": "{{ net }}"}}
      register: here
    - amazon.aws.ec2_vpc_net_info: *info
      vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
      async: 60
      poll: 1
      register: there
    - amazon.aws.ec2_vpc_net: {name: refused, cidr_block: 10.99.0.0/16}
      ignore_errors: true # its message is asserted below
      register: refused
    - amazon.aws.ec2_vpc_net_info: {no_such_option: true}
      ignore_errors: true # its message is asserted below
      register: unknown
    - ansible.builtin.assert:
        that:
          - would is changed and before.vpcs == []
          - made.results | map(attribute='changed') == [true, false]
          - here is not changed and here.vpcs | length == 1 and here.vpcs == there.vpcs
          - here.vpcs[0].tags.a == '1'
          - "'is in use' in refused.msg"
          - "'no_such_option' in unknown.msg"
"""


def test_a_module_runs_in_ansibles_own_process(ec2: "EC2Client", tmp_path: Path) -> None:
    playbook = tmp_path / "playbook.yml"
    playbook.write_text(PLAYBOOK)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("ANSIBLE_", "AWS_"))}
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", playbook],
        cwd=ROOT,
        env={
            **clean,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_STDOUT_CALLBACK": "default",
            "AWS_ENDPOINT_URL": ec2.meta.endpoint_url,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ignored=2" in done.stdout
