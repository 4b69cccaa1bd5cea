"""What a killed proof leaves is removed by the next one; what a running one uses is not."""

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

from swarmctl.lab.isolated.machine import LABEL, remove_abandoned


def machine(process: int) -> Any:
    return SimpleNamespace(labels={LABEL: str(process)}, remove=Mock())


def test_only_machines_of_ended_processes_are_removed_with_their_data() -> None:
    """Broken: a restored Swarm with its secrets runs on for ever; or a proof loses its machine."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
        mine, left = machine(os.getpid()), machine(ended.pid)
    listed = Mock(return_value=[mine, left])
    remove_abandoned(Mock(containers=SimpleNamespace(list=listed)))
    mine.remove.assert_not_called()
    left.remove.assert_called_once_with(force=True, v=True)
    listed.assert_called_once_with(all=True, filters={"label": LABEL})
