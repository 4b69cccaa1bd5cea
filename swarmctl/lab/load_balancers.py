"""Makes the load balancers' machines follow the API."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from typing import Any

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from swarmctl.errors import SwarmctlError
from swarmctl.lab.api import Api, View
from swarmctl.lab.balancer import machine
from swarmctl.lab.balancer.config import config, files
from swarmctl.lab.balancer.model import LoadBalancer
from swarmctl.lab.balancer.targets import Report, Status
from swarmctl.lab.firewall import OPERATOR, compile_rules, gateway_of
from swarmctl.lab.machine import remove, set_firewall

log = logging.getLogger(__name__)

# Seconds between two passes without a request: a target's draining ends by itself.
IDLE = 1.0
AGAIN = 5.0  # seconds between two starts of a machine that ends
WORKERS = 2


def wanted(balancer: LoadBalancer, view: View) -> dict[str, Any]:
    """What a load balancer's agent shall do."""
    return {
        "config": config(balancer, OPERATOR, gateway_of(view.vpcs[balancer.vpc])),
        "files": files(balancer),
        "groups": {
            group.key: {
                "check": asdict(group.check),
                "server": "ssl verify none" if group.tls else "",
                "targets": [asdict(target) for target in group.targets],
            }
            for group in balancer.target_groups
        },
    }


class LoadBalancers:
    """The machines of a lab's load balancers."""

    def __init__(
        self,
        client: docker.DockerClient,
        lab: str,
        image: str,
        api: Api,
        changed: threading.Event,
        network: Callable[[str], str],
    ) -> None:
        """Store what ``run`` needs.

        Args:
            client: the Engine.
            lab: the lab's name.
            image: of the machines.
            api: is told what the machines report.
            changed: set when a pass is due.
            network: makes the network of a VPC, if there is none, and returns its name.
        """
        self._client = client
        self._lab = lab
        self._image = image
        self._api = api
        self._changed = changed
        self._finished = threading.Event()
        self._network = network
        self._lines: dict[str, machine.Line] = {}
        self._firewalls: dict[str, str] = {}  # as last applied
        self._started: dict[str, float] = {}  # when
        self._busy: set[str] = set()

    def finish(self) -> None:
        """Make ``run`` return after the work in progress."""
        self._finished.set()
        self._changed.set()

    def run(self) -> None:
        """Make the machines follow the API until ``finish`` is called: targets change at once."""
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="balancer") as pool:
            while not self._finished.is_set():
                self._changed.wait(IDLE)
                self._changed.clear()
                try:
                    self._pass(self._api.view(), pool)
                except Exception:  # the next pass finds what is left to do
                    log.exception("a pass over the load balancers failed")

    def _pass(self, view: View, pool: ThreadPoolExecutor) -> None:
        balancers = [balancer for balancer in view.balancers if balancer.vpc in view.vpcs]
        if not (balancers or view.departed or self._lines):
            return
        for balancer in balancers:
            self._tell(balancer, view)
        # Of those that nothing works on now, the states will still be true below.
        idle = [balancer for balancer in balancers if balancer.id not in self._busy]
        states = machine.states(self._client, self._lab)
        for balancer in idle:
            rules = compile_rules(balancer, view)
            if states.get(balancer.id) != "running" or balancer.id not in self._lines:
                if time.monotonic() - self._started.get(balancer.id, -AGAIN) >= AGAIN:
                    self._submit(pool, balancer.id, partial(self._start, balancer, rules))
            elif rules != self._firewalls.get(balancer.id):
                self._submit(pool, balancer.id, partial(self._filter, balancer.id, rules))
        for departed in {*view.departed, *states} - {balancer.id for balancer in balancers}:
            self._submit(pool, departed, partial(self._remove, departed))

    def _tell(self, balancer: LoadBalancer, view: View) -> None:
        line = self._lines.get(balancer.id)
        try:
            if line:
                line.send(wanted(balancer, view))
        except OSError:
            log.exception("load balancer %s", balancer.name)
            self._lines.pop(balancer.id, None)  # half a line may be sent: a new machine
        except ValueError:
            log.exception("load balancer %s", balancer.name)

    def _submit(self, pool: ThreadPoolExecutor, balancer: str, work: Callable[[], None]) -> None:
        if balancer in self._busy:
            return
        self._busy.add(balancer)

        def run() -> None:
            done = False
            try:
                work()
                done = True
            except Exception as error:  # the next pass tries again
                foreseen = isinstance(error, (SwarmctlError, DockerException, RequestException))
                log.error("load balancer %s: %s", balancer, error, exc_info=not foreseen)
            finally:
                self._busy.discard(balancer)
                if done:
                    self._changed.set()

        pool.submit(run)

    def _start(self, balancer: LoadBalancer, rules: str) -> None:
        log.info("load balancer %s (%s): start", balancer.name, balancer.id)
        self._started[balancer.id] = time.monotonic()
        spec = machine.BalancerSpec(
            lab=self._lab,
            id=balancer.id,
            image=self._image,
            network=self._network(balancer.vpc),
            ip=balancer.address,
            firewall=rules,
        )
        heard = partial(self._hear, balancer.id)
        self._lines[balancer.id] = machine.start(self._client, spec, heard)
        self._firewalls[balancer.id] = rules

    def _filter(self, balancer: str, rules: str) -> None:
        set_firewall(self._client, self._lab, balancer, rules)
        self._firewalls[balancer] = rules

    def _remove(self, balancer: str) -> None:
        log.info("load balancer %s: remove", balancer)
        remove(self._client, self._lab, balancer)
        self._lines.pop(balancer, None)
        self._firewalls.pop(balancer, None)
        self._started.pop(balancer, None)
        self._api.release(balancer)

    def _hear(self, balancer: str, report: Mapping[str, Any]) -> None:
        if "error" in report:
            log.error("load balancer %s: %s", balancer, report["error"])
        elif "serving" in report:
            self._api.serves(balancer)
        else:
            status = Status(report["state"], report["reason"], report["description"])
            self._api.report(
                report["group"], report["target"], Report(report["registered"], status)
            )
