"""A small cluster is upgraded in a second lab first, then itself; then there is nothing to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmctl.lab.paths import known_labs
from tests.lab.support import CLUSTER, Lab
from tests.lab.test_6_upgrade.conftest import COMPOSE, STACK, upgrade

NODES = [f"{CLUSTER}_{short}" for short in ("mgr1", "wkr1", "wkr2")]

pytestmark = [pytest.mark.long, pytest.mark.timeout(60 * 60)]


@pytest.fixture(scope="module")
def sizes() -> tuple[int, int]:
    """One manager, two workers."""
    return 1, 2


def test_a_rehearsal_comes_first_and_a_second_run_has_nothing_to_do(
    lab: Lab, tmp_path: Path
) -> None:
    """Broken: the first cluster on which an upgrade is tried is the one in use."""
    path = tmp_path / "docker-compose.yml"
    path.write_text(COMPOSE)
    done = lab.swarmctl("stack", "deploy", str(path), f"--as={STACK}", timeout=400)
    assert done.returncode == 0, done.stderr

    everything = ("-e", "upgrade_os=true", "-e", "upgrade_reboot=true")
    boot = "systemctl show --property=UserspaceTimestamp"
    before = {name: lab.ssh(name, boot).stdout for name in NODES}
    first = upgrade(lab, "-e", "rehearse=true", *everything).ok()

    text = first.output
    assert text.count(f"{CLUSTER}_wkr1 (Engine 20.10.24+dfsg1 → 26.1.5+dfsg1") == 2
    assert not [name for name in known_labs() if "rehearsal" in name]
    assert all(lab.ssh(name, boot).stdout not in ("", then) for name, then in before.items())
    again = upgrade(lab, "-e", "upgrade_os=true").ok()
    assert again.changed == 0, again.changes
    assert "skipped, nothing to do" in again.output
