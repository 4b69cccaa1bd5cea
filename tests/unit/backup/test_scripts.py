"""The scripts that stop an Engine leave no machine that the next run cannot use."""

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from swarmctl.backup.choose import Choice
from swarmctl.backup.engine_state import begin_anew
from swarmctl.backup.restore import put_script
from swarmctl.backup.take import Nodes, look
from swarmctl.errors import RefusedError, SwarmctlError
from tests.unit.backup.made import NAME, manifest, state


def put(root: Path, archive: bytes) -> tuple[int, list[str]]:
    """Put a state on a machine whose Docker directory this is; what systemd was told."""
    fake = f"docker() {{ echo '{root}'; }}\nsystemctl() {{ echo \"$@\"; }}\nsync() {{ :; }}\n"
    argv = ["sh", "-c", fake + put_script(manifest())]
    done = subprocess.run(argv, input=archive, capture_output=True, check=False)
    return done.returncode, done.stdout.decode().splitlines()


def test_a_state_is_put_in_place_as_a_whole_and_the_engine_starts_again(tmp_path: Path) -> None:
    (tmp_path / "swarm").mkdir()
    (tmp_path / "swarm" / "old").touch()
    code, told = put(tmp_path, state())
    assert (code, told[-1]) == (0, "start docker.service")
    assert (tmp_path / "swarm" / "restored-from").read_text() == f"{NAME}\n"
    assert (tmp_path / "swarm" / "docker-state.json").exists()
    assert not (tmp_path / "swarm" / "old").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["swarm"]


def test_a_stream_that_breaks_stops_no_engine_and_can_be_sent_again(tmp_path: Path) -> None:
    (tmp_path / "swarm").mkdir()
    code, told = put(tmp_path, state()[:-50])
    assert code != 0
    assert told == []
    assert list((tmp_path / "swarm").iterdir()) == []
    assert put(tmp_path, state())[0] == 0


def test_a_decrypted_key_file_goes_when_the_engine_cannot_be_stopped(tmp_path: Path) -> None:
    folder = tmp_path / "swarm" / "certificates"
    folder.mkdir(parents=True)
    (folder / "swarm-node.key").write_text("locked")
    stops = 'systemctl() { [ "$*" != "stop docker.service" ]; }'
    fake = f"docker() {{ echo '{tmp_path}'; }}\n{stops}\n"

    def run(script: str, _: float) -> str:
        done = subprocess.run(["sh", "-c", fake + script], capture_output=True, check=False)
        if done.returncode:
            raise SwarmctlError("it failed")
        return done.stdout.decode()

    with pytest.raises(SwarmctlError, match="it failed"):
        begin_anew(run, "swarm", "10.0.0.4", 4789, "decrypted")
    assert [p.name for p in folder.iterdir()] == ["swarm-node.key"]
    assert (folder / "swarm-node.key").read_text() == "locked"


@dataclass
class Says:
    """A node's shell that gives one answer."""

    answer: str

    def run(self, *_: Any) -> str:
        return self.answer


def looked(answer: str) -> None:
    node: Any = type("Named", (), {"hostname": "m2"})()
    look(Nodes(cast(Any, Says(answer)), {}), Choice(node, tasks=0, drain=False))


def test_only_containers_that_swarm_does_not_manage_speak_against_a_stop() -> None:
    looked("need 10\nroom 20\ncontainer shop_web.1 abc123\n")
    with pytest.raises(RefusedError, match=r"would stop: by_hand$"):
        looked("need 10\nroom 20\ncontainer shop_web.1 abc123\ncontainer by_hand \n")
    with pytest.raises(RefusedError, match="may take 2 MiB, and /run has 1 MiB free"):
        looked("need 2048\nroom 1024\n")
