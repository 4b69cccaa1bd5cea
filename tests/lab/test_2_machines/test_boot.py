"""An instance that dies while it boots: the playbook says so at once, and why."""

from __future__ import annotations

import threading
import time

import docker
import pytest

from tests.lab.support import CLUSTER, NAME, Cluster, Lab

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

NEW = f"{CLUSTER}_wkr4"


def kill_new_machine(engine: docker.DockerClient, known: set[str], ended: threading.Event) -> None:
    """Kill the first machine that starts, as soon as it runs."""
    while not ended.wait(0.2):
        for machine in engine.containers.list(filters={"name": f"swarmctl-{NAME}-i-"}):
            if machine.name not in known:
                machine.kill()
                return


def test_an_instance_that_dies_at_boot_ends_the_run_at_once_with_the_reason(
    lab: Lab, cluster: Cluster, engine: docker.DockerClient
) -> None:
    """Broken: FAILED - RETRYING, for 300 tries, and no word of the reason."""
    machines = engine.containers.list(all=True, filters={"name": f"swarmctl-{NAME}-i-"})
    ended = threading.Event()
    killer = threading.Thread(
        target=kill_new_machine, args=(engine, {m.name for m in machines}, ended)
    )
    killer.start()
    begin = time.monotonic()
    try:
        run = lab.playbook("provision", "-e", "workers=4")
    finally:
        ended.set()
        killer.join()
    took_s = time.monotonic() - begin
    assert run.code != 0
    said = " ".join(run.output.split())
    assert f"{NEW} (i-" in said
    assert ") is terminated: Server.InternalError: the machine did not boot" in said
    assert took_s < 240
    assert [n["name"] for n in lab.status()["nodes"] if n["name"] == NEW] == []
