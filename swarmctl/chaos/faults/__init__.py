"""The ways to take something away. Each fault is one small object: plan, inject, revert."""

from __future__ import annotations

from dataclasses import replace

from swarmctl.chaos.faults.base import Effect, Fault, Kind, Options, Setting
from swarmctl.chaos.faults.drain import Drain
from swarmctl.chaos.faults.instance_reboot import InstanceReboot
from swarmctl.chaos.faults.instance_stop import InstanceStop
from swarmctl.chaos.faults.instance_terminate import InstanceTerminate
from swarmctl.chaos.faults.task_kill import TaskKill
from swarmctl.chaos.targets import Selection
from swarmctl.errors import unknown


def _pulled(setting: Setting) -> Fault:
    """An outage is never a clean shutdown."""
    return InstanceStop(replace(setting, options=replace(setting.options, force=True)))


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
        "drain",
        "availability drain: what an operator does before maintenance",
        "availability active",
        Effect.DRAINED,
        "was drained",
        Drain,
        selection=_WORKER,
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
