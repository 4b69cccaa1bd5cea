"""The ways to take something away. Each fault is one small object: plan, inject, revert."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from swarmctl.chaos.faults.base import PRESSED_S, Effect, Fault, Kind, Options, Setting
from swarmctl.chaos.faults.drain import Drain
from swarmctl.chaos.faults.engine import ENGINE_KILL, ENGINE_PAUSE, ENGINE_STOP
from swarmctl.chaos.faults.instance_reboot import InstanceReboot
from swarmctl.chaos.faults.instance_stop import InstanceStop
from swarmctl.chaos.faults.instance_terminate import InstanceTerminate
from swarmctl.chaos.faults.netem import LATENCY, LOSS
from swarmctl.chaos.faults.on_node import OnNode
from swarmctl.chaos.faults.partition import PARTITION
from swarmctl.chaos.faults.pressure import CPU, DISK_FULL, MEMORY
from swarmctl.chaos.faults.recipe import Recipe
from swarmctl.chaos.faults.targets import Selection
from swarmctl.chaos.faults.task_kill import TaskKill
from swarmctl.reading.names import unknown


def _pulled(setting: Setting) -> Fault:
    """An outage is never a clean shutdown."""
    return InstanceStop(replace(setting, options=replace(setting.options, force=True)))


def _on_node(recipe: Recipe) -> Callable[[Setting], Fault]:
    return lambda setting: OnNode(setting, recipe)


_WORKER = Selection(role="worker")
_START = "StartInstances; the Engine joins the Swarm again by itself"

_KINDS = (
    Kind(
        "instance-stop",
        "StopInstances: a clean shutdown of the machine; --force pulls the plug",
        _START,
        Effect.DOWN,
        "was lost",
        InstanceStop,
        takes=("force",),
        selection=_WORKER,
        stops=True,
    ),
    Kind(
        "instance-terminate",
        "TerminateInstances: the machine and its disk are gone for good",
        "a playbook makes a new machine; the dead node is removed from the Swarm",
        Effect.DOWN,
        "was lost for good",
        InstanceTerminate,
        takes=("replace_with",),
        selection=_WORKER,
        stops=True,
        final=True,
    ),
    Kind(
        "instance-reboot",
        "RebootInstances: the machine restarts",
        "it comes back by itself; that is awaited",
        Effect.RETURNS,
        "was rebooted",
        InstanceReboot,
        selection=_WORKER,
    ),
    Kind(
        "engine-stop",
        "systemctl stop docker: the Engine and its containers end in good order",
        "systemctl start docker",
        Effect.DOWN,
        "was left without its Engine",
        _on_node(ENGINE_STOP),
        selection=_WORKER,
    ),
    Kind(
        "engine-kill",
        "SIGKILL to dockerd: the Engine crashes",
        "systemd starts it again; that is awaited",
        Effect.RETURNS,
        "was left without its Engine for a moment",
        _on_node(ENGINE_KILL),
        selection=_WORKER,
    ),
    Kind(
        "engine-pause",
        "SIGSTOP to dockerd: the Engine hangs, its containers run on",
        "SIGCONT",
        Effect.DOWN,
        "was left with a hung Engine",
        _on_node(ENGINE_PAUSE),
        selection=_WORKER,
        keeps_running=True,
    ),
    Kind(
        "drain",
        "availability drain: what an operator does before maintenance",
        "availability active",
        Effect.DRAINED,
        "was drained",
        Drain,
        selection=_WORKER,
    ),
    Kind(
        "partition",
        "packets from and to other nodes are dropped (--from managers, workers or all); SSH passes",
        "remove the packet filters",
        Effect.DOWN,
        "was cut off",
        _on_node(PARTITION),
        takes=("sever",),
        selection=_WORKER,
        keeps_running=True,
        # The managers hear its heartbeats as before.
        spares=lambda options: options.sever == "workers",
    ),
    Kind(
        "az-outage",
        "all nodes of an availability zone lose their power at the same moment",
        _START,
        Effect.DOWN,
        "was lost",
        _pulled,
        selection=Selection(percent=100),
        stops=True,
        zone=True,
    ),
    Kind(
        "leader-kill",
        "the leading manager loses its power; the others elect a new one",
        _START,
        Effect.DOWN,
        "was lost",
        _pulled,
        selection=Selection(leader=True),
        stops=True,
    ),
    Kind(
        "task-kill",
        "SIGKILL to containers of a service (--target service:NAME)",
        "nothing to undo: Swarm starts others",
        Effect.TASKS,
        "was killed",
        TaskKill,
    ),
    Kind(
        "cpu",
        "--level per cent of the processors are kept busy (100)",
        "end the load",
        Effect.STAYS,
        "was busy",
        _on_node(CPU),
        takes=("level",),
        selection=_WORKER,
        duration_s=PRESSED_S,
    ),
    Kind(
        "memory",
        "the memory is filled to --level per cent (90); 128 MiB stay",
        "free it",
        Effect.STAYS,
        "was short of memory",
        _on_node(MEMORY),
        takes=("level",),
        selection=_WORKER,
        duration_s=PRESSED_S,
    ),
    Kind(
        "disk-full",
        "the file system of /var/lib/docker is filled to --level per cent (95); 64 MiB stay",
        "remove the file",
        Effect.STAYS,
        "was short of disk",
        _on_node(DISK_FULL),
        takes=("level",),
        selection=_WORKER,
        duration_s=PRESSED_S,
    ),
    Kind(
        "latency",
        "packets to the other nodes are --delay milliseconds late (200)",
        "remove the queue",
        Effect.STAYS,
        "was slow to be heard",
        _on_node(LATENCY),
        takes=("delay_ms",),
        selection=_WORKER,
        duration_s=PRESSED_S,
    ),
    Kind(
        "loss",
        "--level per cent of the packets to the other nodes are lost (10)",
        "remove the queue",
        Effect.STAYS,
        "was badly heard",
        _on_node(LOSS),
        takes=("level",),
        selection=_WORKER,
        duration_s=PRESSED_S,
    ),
)

# What a user may name.
FAULTS: dict[str, Kind] = {kind.name: kind for kind in _KINDS}


def known_fault(name: str) -> Kind:
    """The fault of that name.

    Raises:
        UsageError: there is no such fault.
    """
    if name not in FAULTS:
        raise unknown("fault", name, FAULTS)
    return FAULTS[name]


__all__ = ["FAULTS", "Effect", "Fault", "Kind", "Options", "Setting", "known_fault"]
