"""Why a backup may not be restored on these machines: decided before anything is touched. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from swarmctl.backup.manifest import Manifest

LEAVE = "docker swarm leave --force"


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine of the cluster, and what its Engine tells.

    Attributes:
        name: of the node.
        role: ``manager`` or ``worker``, as planned.
        state: of the machine: ``running``, ``stopped`` …
        address: its private address.
        silent: why it could not be asked; ``""``: it answered.
        engine: the version of its Engine; ``""``: it has none.
        swarm_state: ``LocalNodeState``: ``inactive``, ``active``, ``locked`` …
        manager: whether it is a manager of some Swarm.
        swarm_id: of the Swarm that it manages with a leader; ``""``: it knows of none.
        node_id: its id in its Swarm.
        restored: the backup that is being restored on it.
    """

    name: str
    role: str
    state: str
    address: str
    silent: str = ""
    engine: str = ""
    swarm_state: str = "inactive"
    manager: bool = False
    swarm_id: str = ""
    node_id: str = ""
    restored: str = ""

    @property
    def lives(self) -> bool:
        """Whether it may act as a manager: a worker's state is not a manager's."""
        locked = self.swarm_state in ("locked", "error", "pending") and self.role == "manager"
        return self.manager or locked


def other_cluster(manifest: Manifest, cluster: str, recorded: str) -> str:
    """Why a backup is not one of this cluster; ``""``: it is.

    Args:
        manifest: of the backup.
        cluster: the cluster's name.
        recorded: the id of its Swarm; ``""``: not known here.
    """
    if manifest.cluster != cluster:
        return f"{manifest.name} is a backup of the cluster {manifest.cluster}, not of {cluster}"
    if recorded and recorded != manifest.swarm_id:
        return (
            f"{manifest.name} is a backup of the Swarm {manifest.swarm_id}; on record for "
            f"{cluster} is {recorded}. If that one is to be given up, remove its record: "
            f"clusters/{cluster}/swarm_id in the state directory"
        )
    return ""


def target_of(manifest: Manifest, machines: Iterable[Machine]) -> Machine | None:
    """The running machine that has the address of the backup's manager."""
    found = [m for m in machines if m.address == manifest.node.address]
    return next((m for m in found if m.state == "running"), None)


def refusals(
    manifest: Manifest, machines: Iterable[Machine], *, create: bool = False
) -> tuple[str, ...]:
    """Every reason why a backup may not be restored now.

    Args:
        manifest: of the backup.
        machines: all machines of the cluster, with what their Engines tell.
        create: whether machines that are missing will be created first.
    """
    return tuple(_refusals(manifest, tuple(machines), create))


def _refusals(manifest: Manifest, machines: tuple[Machine, ...], create: bool) -> Iterator[str]:
    target = target_of(manifest, machines)
    address = manifest.node.address
    if target is None and create:
        for machine in machines:
            if machine.role == "manager" and machine.state in ("stopped", "stopping"):
                yield (
                    f"{machine.name} ({machine.address}) is {machine.state}, and would be started "
                    "with its old state when missing machines are created. Terminate its instance; "
                    f"or, if its address is {address}, start it and run there: {LEAVE}"
                )
    elif target is None:
        others = ", ".join(f"{m.name} ({m.state}): {m.address}" for m in machines)
        yield (
            f"no running machine has {address}, the address of the backup's manager "
            f"{manifest.node.name}; the other nodes would not find it. "
            f"There are: {others or 'none'}"
        )
    else:
        yield from _unfit(manifest, target)
    for machine in machines:
        if machine is not target and not _joined_anew(manifest, target, machine):
            yield from _alive(machine)


def _joined_anew(manifest: Manifest, target: Machine | None, machine: Machine) -> bool:
    """Whether a manager joined the restored Swarm before this restore was interrupted.

    Those of the lost one have the Swarm's id, too, but ids of nodes that the backup knows.
    """
    return (
        target is not None
        and target.restored == manifest.name
        and target.swarm_id == machine.swarm_id == manifest.swarm_id
        and machine.node_id not in {o.id for o in manifest.objects if o.kind == "node"}
    )


def _unfit(manifest: Manifest, target: Machine) -> Iterator[str]:
    if target.silent:
        yield f"{target.name} does not answer: {target.silent}"
        return
    if target.role != "manager":
        yield f"{target.name} ({target.address}) is planned as a {target.role}, not as a manager"
    if target.engine and release(target.engine) < release(manifest.engine):
        yield (
            f"{target.name} runs Engine {target.engine}, the backup is of {manifest.engine}: an "
            "older Engine may not read the state of a newer one. Upgrade it first"
        )
    resumed = target.restored == manifest.name
    if target.swarm_state != "inactive" and not resumed:
        swarm = target.swarm_id or "its id is not known"
        yield (
            f"{target.name} is {target.swarm_state} in a Swarm ({swarm}): its state would be "
            f"overwritten. If that Swarm is lost or to be given up, run there: {LEAVE}"
        )


def _alive(machine: Machine) -> Iterator[str]:
    if machine.state == "pending" or (machine.state == "running" and machine.silent):
        if machine.role == "manager":
            why = machine.silent or "it is starting"
            yield (
                f"{machine.name} runs but does not answer ({why}): it may be a manager of that "
                "Swarm, and two halves of it would differ for ever. Stop its instance, or let it "
                "answer"
            )
    elif machine.state == "running" and machine.lives:
        yield (
            f"{machine.name} is a manager that lives ({machine.swarm_state}"
            f"{', without a leader' if not machine.swarm_id else ''}): two halves of a Swarm would "
            f"differ for ever. Stop its instance, or run there: {LEAVE}"
        )


def release(version: str) -> tuple[int, ...]:
    """``(26, 1)`` of ``26.1.5+dfsg1``: what the form of the state depends on."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else ()
