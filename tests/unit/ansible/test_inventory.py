"""The inventory of EC2 is read in the region of the settings."""

import http.server
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.ansible.filters import ROOT

NONE = (
    b'<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
    b"<reservationSet/></DescribeInstancesResponse>"
)
AGAIN = "- hosts: localhost\n  gather_facts: false\n  tasks: [{meta: refresh_inventory}]\n"


class Ec2(http.server.BaseHTTPRequestHandler):
    """Answers that there are no instances, and notes which region the request was signed for."""

    regions: list[str]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        found = re.search(r"Credential=[^/]*/\d*/([^/]*)/ec2/", self.headers["Authorization"])
        self.regions.append(found[1] if found else "")
        self.send_response(200)
        self.send_header("Content-Length", str(len(NONE)))
        self.end_headers()
        self.wfile.write(NONE)

    def log_message(self, *args: Any, **kwargs: Any) -> None:
        """Nothing on stderr."""


@pytest.fixture
def ec2(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A DescribeInstances that the environment points at, without a region; the regions asked."""
    monkeypatch.setattr(Ec2, "regions", [], raising=False)
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        monkeypatch.delenv(name)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ec2)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key")
    monkeypatch.setenv("ANSIBLE_CONFIG", str(ROOT / "ansible.cfg"))
    yield Ec2.regions
    server.shutdown()
    server.server_close()


def playbook(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one."""
    command = [str(Path(sys.executable).with_name("ansible-playbook")), *words]
    return subprocess.run(
        command, cwd=ROOT, check=False, timeout=120, capture_output=True, text=True
    )


def test_without_a_region_in_the_environment_that_of_the_settings_is_read(
    ec2: list[str], tmp_path: Path
) -> None:
    """At the start, and again in a play: the playbooks' folder, then, is where paths begin."""
    again = tmp_path / "again.yml"
    again.write_text(AGAIN)
    (tmp_path / "group_vars").symlink_to(ROOT / "playbooks" / "group_vars")
    assert "WARNING" not in playbook(again).stderr
    assert ec2 == ["eu-central-1"] * 2


def test_the_region_of_the_environment_wins(
    ec2: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    again = tmp_path / "again.yml"
    again.write_text(AGAIN)
    playbook(again)
    assert ec2 == ["eu-north-1"] * 2


@pytest.mark.usefixtures("ec2")
def test_an_inventory_that_cannot_be_read_is_no_cluster_without_nodes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Credentials that have ended, a wrong -i: Ansible itself would go on with no hosts."""
    words = ("playbooks/preflight.yml", "-e", "admin_cidr=198.51.100.7/32")
    assert playbook(*words).returncode == 0
    assert "No inventory of EC2 was read" in playbook(*words, "-i", "my-host.yml").stdout
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    failed = playbook(*words)
    assert failed.returncode == 2
    assert "No inventory of EC2 was read" in failed.stdout
