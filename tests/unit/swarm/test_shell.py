"""A command on a node ends: with its output, or with an error by its deadline."""

from __future__ import annotations

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import paramiko
import pytest

from swarmctl.errors import DeadlineExceededError, UsageError
from swarmctl.swarm import shell
from swarmctl.swarm.shell import CommandError, Shells
from swarmctl.swarm.ssh import Endpoint, ManagerError
from tests.unit.swarm.ssh_server import Site, SshServer

HERE = Endpoint("unix:///var/run/docker.sock")
# More than the window of an SSH channel (2 MiB): the writer stops until somebody reads.
FLOOD = b"x" * (3 * 2**20)


@dataclass
class Node(SshServer):
    """Plays one of some programs; the script or the first word says which."""

    def answer(self, channel: paramiko.Channel, command: str) -> None:
        if command.startswith("deaf"):  # does not read
            channel.sendall_stderr(b"I do not listen")
            channel.send_exit_status(3)
            channel.close()
            return
        if command.startswith("chatty"):  # writes before it reads
            channel.sendall(FLOOD)
        script = b""
        while part := channel.recv(65536):
            script += part
        if b"flood" in script or command.startswith("flood"):
            channel.sendall_stderr(FLOOD)
            channel.sendall(FLOOD)
        if b"hang" in script:
            threading.Event().wait(30)
        if b"trickle" in script:
            for _ in range(100):
                channel.sendall(b".")
                time.sleep(0.05)
        if b"vanish" not in script:
            channel.sendall(b"read %d" % len(script))
            channel.send_exit_status(7 if b"fail" in script else 0)
        channel.close()


@pytest.fixture
def wkr1(site: Site) -> Endpoint:
    return site.add(Node)[1]


@pytest.fixture
def shells(wkr1: Endpoint) -> Shells:
    return Shells(lambda: {"wkr1": wkr1})


def test_a_flood_on_standard_error_does_not_hold_up_standard_output(shells: Shells) -> None:
    """Broken: the run waits for ever, because a command's errors fill the connection."""
    assert shells.run("wkr1", "flood", 10).endswith("read 5")


def test_scripts_that_begin_at_once_share_one_connection_and_all_end(shells: Shells) -> None:
    """Broken: each opens a connection and closes the others' under way."""
    with ThreadPoolExecutor(8) as pool:
        outputs = list(pool.map(lambda n: shells.run("wkr1", f"script {n}", 10), range(8)))
    assert outputs == ["read 8"] * 8


def test_a_program_that_writes_before_it_reads_gets_its_input(wkr1: Endpoint) -> None:
    done = shell.run(wkr1, ["chatty"], FLOOD, timeout=10)
    assert done.output == FLOOD + b"read %d" % len(FLOOD)


def test_a_program_that_does_not_read_its_input_is_judged_by_its_end(wkr1: Endpoint) -> None:
    done = shell.run(wkr1, ["deaf"], FLOOD, timeout=10)
    assert (done.code, done.errors) == (3, "I do not listen")


@pytest.mark.parametrize("script", ["hang", "trickle"])
def test_a_script_that_does_not_end_is_cut_off_at_the_deadline(shells: Shells, script: str) -> None:
    shells.run("wkr1", "true")
    began = time.monotonic()
    with pytest.raises(DeadlineExceededError, match="wkr1: sh did not end in time"):
        shells.run("wkr1", script, 0.5)
    assert time.monotonic() - began < 3
    assert shells.run("wkr1", "true") == "read 4"


def test_a_failed_script_is_an_error_with_its_status(shells: Shells) -> None:
    with pytest.raises(CommandError, match="wkr1: a command ended with 7: no message") as caught:
        shells.run("wkr1", "fail")
    assert caught.value.status == 7


def test_a_connection_that_breaks_is_said_and_made_again(shells: Shells) -> None:
    with pytest.raises(ManagerError, match="wkr1: sh: the connection broke: it gave no exit code"):
        shells.run("wkr1", "vanish")
    assert shells.run("wkr1", "true") == "read 4"


def test_output_without_end_does_not_fill_the_memory(
    wkr1: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell, "MAX_OUTPUT", 2**20)
    for endpoint, argv in ((wkr1, ["flood"]), (HERE, ["head", "-c", "2000000", "/dev/zero"])):
        with pytest.raises(ManagerError, match="wrote more than 1 MiB"):
            shell.run(endpoint, argv, timeout=10)


def test_where_the_engine_is_local_the_command_runs_here() -> None:
    done = shell.run(HERE, ["sh", "-c", "cat; echo oops >&2; exit 4"], b"in", timeout=10)
    assert (done.code, done.output, done.errors) == (4, b"in", "oops\n")
    assert shell.run(HERE, ["no-such-program"], timeout=10).code == 127
    with pytest.raises(DeadlineExceededError, match="sleep did not end in time"):
        shell.run(HERE, ["sleep", "30"], timeout=0.2)


def test_a_port_that_accepts_is_reachable_and_a_closed_one_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        shells = Shells(lambda: {"wkr1": Endpoint("127.0.0.1", port=port)})
        assert shells.reachable("wkr1")
    assert not shells.reachable("wkr1")


def test_a_machine_that_ec2_lists_no_more_is_not_reachable() -> None:
    """Broken: the run ends with an error right after it has terminated its target."""
    shells = Shells(dict)
    assert not shells.reachable("wkr1")
    with pytest.raises(UsageError, match="unknown node 'wkr1'"):
        shells.run("wkr1", "true")
