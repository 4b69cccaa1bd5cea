"""The controller: makes the machines follow the API, and records in the API what has happened.

A loop compares the API's instances with the containers and gives each difference to a worker: one
at a time per instance, instances in parallel. Then it sends a new firewall to every machine whose
security groups have changed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import docker
from docker.errors import DockerException
from requests.exceptions import RequestException

from swarmctl.errors import SwarmctlError
from swarmctl.lab import machine, network
from swarmctl.lab.api import BARE_AMI, GOLDEN_AMI, OLDER_ENGINE_AMI, Api, Ec2Instance, View
from swarmctl.lab.firewall import compile_rules
from swarmctl.lab.image.ensure import Images, ensure_older_engine
from swarmctl.lab.vpc_services import VpcServices

log = logging.getLogger(__name__)

# Seconds between two passes without a request: a machine may stop by itself.
IDLE = 1.0
WORKERS = 8


def next_step(instance: Ec2Instance, container: str | None) -> str:
    """What to do with an instance.

    Args:
        instance: what the API says.
        container: the state of its container, ``None`` where there is none.

    Returns:
        ``boot``, ``stop``, ``reboot``, ``remove``, ``ended`` (it stopped by itself), ``lost`` (its
        machine was removed, and its disk with it) or ``""``. A paused machine is a running one
        that does not answer, as on EC2 a hung one.
    """
    up = container in ("running", "paused")
    match instance.state:
        case "pending" | "running" | "stopped" if container is None and instance.launched:
            return "lost"
        case "pending":
            return "boot"
        case "stopping":
            return "stop"
        case "shutting-down":
            return "remove"
        case "running" if not up:
            return "ended"
        case "running" if instance.reboot_requested:
            return "reboot"
    return ""


class Controller:
    """The loop; ``run`` returns after ``finish`` has been called."""

    def __init__(
        self,
        client: docker.DockerClient,
        lab: str,
        images: Images,
        api: Api,
        changed: threading.Event,
        services: VpcServices,
    ) -> None:
        """Store what ``run`` needs; ``changed`` is set by the API after each request."""
        self._services = services
        self._client = client
        self._lab = lab
        self._images = {GOLDEN_AMI: images.node, BARE_AMI: images.node_bare}
        self._api = api
        self._changed = changed
        self._finished = threading.Event()
        self._networks, self._building = threading.Lock(), threading.Lock()
        self._busy: set[str] = set()
        self._firewalls: dict[str, str] = {}  # by instance id, as last applied

    def finish(self) -> None:
        """Make ``run`` return after the work in progress."""
        self._finished.set()
        self._changed.set()

    def network_of(self, vpc: str) -> str:
        """Make the network of a VPC, if there is none; returns its name."""
        with self._networks:
            # The network of a VPC that was deleted just now may still have the addresses.
            vpcs = self._api.view().vpcs
            network.remove_unused(self._client, self._lab, set(vpcs))
            network.ensure_network(self._client, self._lab, vpc, vpcs[vpc])
        return network.network_name(self._lab, vpc)

    def run(self) -> None:
        """Make the machines follow the API until ``finish`` is called."""
        with ThreadPoolExecutor(WORKERS, thread_name_prefix="machine") as pool:
            while not self._finished.is_set():
                self._changed.wait(IDLE)
                self._changed.clear()
                try:
                    self._pass(pool)
                except Exception:
                    # The Engine may be restarting; the next pass finds what is left to do.
                    log.exception("a pass over the instances failed")

    def _pass(self, pool: ThreadPoolExecutor) -> None:
        view = self._api.view()
        containers = machine.states(self._client, self._lab)
        for instance in view.instances:
            if instance.id in self._busy:
                continue
            step = next_step(instance, containers.get(instance.id))
            if step:
                self._submit(pool, instance, partial(self._do, step, instance.id))
            elif instance.state == "running" and containers.get(instance.id) == "running":
                rules = self._rules(instance, view)
                if rules != self._firewalls.get(instance.id):
                    self._submit(pool, instance, partial(self._apply_firewall, instance, rules))
        with self._networks:
            # Read again: a VPC that was made meanwhile may have a network already.
            vpcs = set(self._api.view().vpcs)
            self._services.close_unused(vpcs)
            network.remove_unused(self._client, self._lab, vpcs)

    def _submit(
        self, pool: ThreadPoolExecutor, instance: Ec2Instance, work: Callable[[], None]
    ) -> None:
        self._busy.add(instance.id)

        def run() -> None:
            done = False
            try:
                work()
                done = True
            except Exception as error:  # one machine's; the rest go on
                foreseen = isinstance(error, (SwarmctlError, DockerException, RequestException))
                words = f"{instance.name} ({instance.id}): {error} {getattr(error, 'hint', '')}"
                log.error(words, exc_info=not foreseen)
                if instance.state == "pending" or instance.reboot_requested:
                    self._record_failed_start(instance, error)
            finally:
                self._busy.discard(instance.id)
                if done:  # everything else is retried at the next idle pass, not at once
                    self._changed.set()

        pool.submit(run)

    def _record_failed_start(self, instance: Ec2Instance, error: Exception) -> None:
        """As on EC2: one that was never launched is terminated, else it is stopped again.

        Its container stays, for `swarmctl lab logs`, until the lab goes down.
        """
        try:
            machine.stop(self._client, self._lab, instance.id, force=True)
        except Exception:  # its state is recorded all the same
            log.exception("cannot stop the machine of %s", instance.id)
        state = "stopped" if instance.launched else "terminated"
        self._move(instance, state, f"Server.InternalError: {error}")

    def _move(self, instance: Ec2Instance, state: str, reason: str = "") -> None:
        self._api.move(instance.id, state, was=instance.state, reason=reason)

    def _do(self, step: str, instance_id: str) -> None:
        # Read again: requests and other workers may have changed it while this one waited.
        view = self._api.view()
        instance = next(i for i in view.instances if i.id == instance_id)
        container = machine.states(self._client, self._lab).get(instance_id)
        if next_step(instance, container) != step:
            return
        log.info("%s (%s): %s", instance.name, instance.id, step)
        match step:
            case "boot":
                self._boot(instance)
                self._move(instance, "running")
            case "stop":
                if container is not None:
                    machine.stop(self._client, self._lab, instance.id, force=instance.force_stop)
                self._move(instance, "stopped", "User initiated")
            case "lost":
                self._firewalls.pop(instance.id, None)
                why = "Server.InternalError: its machine was removed, but not through this API"
                self._move(instance, "terminated", why)
            case "ended" if machine.rebooting(self._client, self._lab, instance.id):
                self._boot(instance)  # it runs all the time, for EC2
            case "ended":
                self._move(instance, "stopped", "Instance initiated")
            case "reboot":
                machine.stop(self._client, self._lab, instance.id, force=False)
                self._boot(instance)
                self._move(instance, "running")
            case "remove":
                machine.remove(self._client, self._lab, instance.id)
                self._firewalls.pop(instance.id, None)
                self._move(instance, "terminated", "User initiated")

    def _boot(self, instance: Ec2Instance) -> None:
        if instance.id not in machine.states(self._client, self._lab):
            spec = self._spec(instance, self._api.view())
            machine.create(self._client, spec)
            self._firewalls[instance.id] = spec.firewall
        machine.start(self._client, self._lab, instance.id)

    def _spec(self, instance: Ec2Instance, view: View) -> machine.MachineSpec:
        return machine.MachineSpec(
            lab=self._lab,
            instance=instance.id,
            # EC2's default; the playbooks set other names.
            hostname=f"ip-{instance.ip.replace('.', '-')}",
            image=self._image(instance.image),
            network=self.network_of(instance.vpc),
            ip=instance.ip,
            mirror_ip=network.mirror_ip(view.vpcs[instance.vpc]),
            public_key=instance.public_key,
            user_data=instance.user_data,
            firewall=self._rules(instance, view),
            resolv_conf=self._services.resolv_conf(instance.vpc, view.vpcs[instance.vpc]),
        )

    def _image(self, ami: str) -> str:
        with self._building:
            if ami == OLDER_ENGINE_AMI and ami not in self._images:
                self._images[ami] = ensure_older_engine(self._client, log.info)
        if ami not in self._images:
            known = [*self._images, OLDER_ENGINE_AMI]
            raise SwarmctlError(f"the lab has no AMI {ami}; it has {', '.join(known)}")
        return self._images[ami]

    def _rules(self, instance: Ec2Instance, view: View) -> str:
        """Security groups, and the way to the services of the VPC."""
        services = self._services.rules(instance.vpc, view.vpcs[instance.vpc])
        return compile_rules(instance, view) + services

    def _apply_firewall(self, instance: Ec2Instance, rules: str) -> None:
        machine.set_firewall(self._client, self._lab, instance.id, rules)
        self._firewalls[instance.id] = rules
