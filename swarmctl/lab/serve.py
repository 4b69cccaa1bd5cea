"""The lab's one process: the AWS API and the controller. ``python -m swarmctl.lab.serve NAME``.

Started by ``swarmctl lab up`` and ended by ``swarmctl lab down`` with SIGTERM.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Collection
from dataclasses import replace
from functools import partial
from pathlib import Path

import docker

from swarmctl.lab import machine
from swarmctl.lab.api import Api
from swarmctl.lab.controller import Controller
from swarmctl.lab.host import limits
from swarmctl.lab.host.addresses import conflict, taken_here
from swarmctl.lab.host.computer import Computer
from swarmctl.lab.host.room import available, room
from swarmctl.lab.image.ensure import ensure_images
from swarmctl.lab.load_balancers import LoadBalancers
from swarmctl.lab.paths import LabPaths, held
from swarmctl.lab.registry.serving import serve_registry
from swarmctl.lab.vpc_services import VpcServices

log = logging.getLogger("swarmctl.lab")


def main(name: str) -> None:
    """Serve the lab ``name`` until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    paths = LabPaths(name)
    client = docker.from_env()
    changed, moved = threading.Event(), threading.Event()  # for instances, and for load balancers
    # Held while the process lives: if the lock is free, the lab is not served.
    with held(paths.serve_lock):
        computer = Computer(
            console=partial(machine.console, client, name, lines=2000),
            conflict=lambda cidr: conflict(cidr, taken_here(client, name)),
            no_room=partial(_no_room, client),
        )
        api = Api(computer, changed, moved)
        images = ensure_images(client, log.info)
        controller = Controller(client, name, images, api, changed, VpcServices(api))
        network_of = controller.network_of
        balancers = LoadBalancers(client, name, images.load_balancer, api, moved, network_of)
        following = threading.Thread(target=balancers.run, daemon=True, name="balancers")
        following.start()

        def finish(*_: object) -> None:
            controller.finish()
            balancers.finish()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, finish)
        record = paths.recorded()
        ecr = serve_registry(api.registry, record.store, record.token_life)
        port = api.serve(record.port, record.key_id, record.secret)
        paths.keep(replace(record, pid=os.getpid(), port=port, ecr=ecr))
        log.info("serving the AWS API of lab %s on 127.0.0.1:%d", name, port)
        controller.run()
        following.join()  # `lab down` removes what there is once the lock is free
        log.info("finished")


def _no_room(client: docker.DockerClient, wanted: int, starting: Collection[str]) -> str:
    """Why no ``wanted`` more machines fit on this computer, or ``""``."""
    running = machine.running_everywhere(client)
    found = room(
        available(Path("/proc/meminfo").read_text()),
        limits.read(),
        running=len(running),
        starting=len(set(starting) - running),
    )
    if found.machines >= wanted:
        return ""
    return (
        f"this computer has room for {found.machines} more machines, not for {wanted}: "
        f"{found.reason}"
    )


if __name__ == "__main__":
    main(sys.argv[1])
