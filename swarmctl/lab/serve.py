"""The lab's one process: the AWS API and the controller. ``python -m swarmctl.lab.serve NAME``.

Started by ``swarmctl lab up`` and ended by ``swarmctl lab down`` with SIGTERM.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from dataclasses import replace

import docker

from swarmctl.lab import machine
from swarmctl.lab.api import Api
from swarmctl.lab.controller import Controller
from swarmctl.lab.image.ensure import ensure_images
from swarmctl.lab.paths import LabPaths, held

log = logging.getLogger("swarmctl.lab")


def main(name: str) -> None:
    """Serve the lab ``name`` until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    paths = LabPaths(name)
    client = docker.from_env()
    changed = threading.Event()
    # Held while the process lives: if the lock is free, the lab is not served.
    with held(paths.serve_lock):
        api = Api(lambda instance: machine.console(client, name, instance), changed)
        controller = Controller(client, name, ensure_images(client, log.info), api, changed)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: controller.finish())
        record = paths.recorded()
        port = api.serve(record.port, record.key_id, record.secret)
        paths.keep(replace(record, pid=os.getpid(), port=port))
        log.info("serving the AWS API of lab %s on 127.0.0.1:%d", name, port)
        controller.run()
        log.info("finished")


if __name__ == "__main__":
    main(sys.argv[1])
