"""The undo plan in the Swarm's chaos lock, checked against what is true here.

Whoever may write to the Swarm may write such a plan. So it is data: it names machines and nodes of
this cluster and one of the known faults, or it is refused. A command is never taken from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any

import msgspec

from swarmctl.chaos.fault.fault import GONE, UndoAction
from swarmctl.chaos.fault.kind import Kind, Options
from swarmctl.chaos.fault.node_fault import SIDES
from swarmctl.chaos.faults import FAULTS, undo_action
from swarmctl.chaos.journal.journal import Journal, TargetRecord, Undo, UndoStep
from swarmctl.chaos.journal.runs import from_brief
from swarmctl.chaos.world.protocols import Cluster, Ec2
from swarmctl.errors import SwarmctlError
from swarmctl.reading.texts import one_line
from swarmctl.swarm.model import Swarm

_INSTANCE = re.compile(r"i-[0-9A-Za-z-]{1,40}")
_NODE_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]{0,252}")
_LONGEST_DELAY_MS = 600_000
# These are carried out on the node, over SSH: they need no instance.
_WITHOUT_INSTANCE = (UndoAction.ACTIVATE_NODE, UndoAction.HEAL_NODE)


class BadPlanError(SwarmctlError):
    """The plan in the lock is not one that a run of this cluster can have made."""


@dataclass(frozen=True)
class Here:
    """What is true of this cluster.

    Args:
        cluster: its name.
        region: its AWS region.
        instances: the names of its instances by id; only those with exactly its tag.
        nodes: the hostnames of the Swarm's nodes by id.
        ec2: tells whether an instance that is not listed was terminated.
    """

    cluster: str
    region: str
    instances: Mapping[str, str]
    nodes: Mapping[str, str]
    ec2: Ec2


def here(cluster: Cluster, swarm: Swarm) -> Here:
    """What is true of a cluster now."""
    instances = {machine.id: machine.name for machine in cluster.ec2.instances(cluster.name)}
    nodes = {node.id: node.hostname for node in swarm.nodes}
    return Here(cluster.name, cluster.region, instances, nodes, cluster.ec2)


def read(raw: Any, known: Here) -> Journal:
    """The journal of the run whose plan this is, with nothing in it that was not checked.

    Its option ``replace_with`` is this version's default, whatever the plan says.

    Raises:
        BadPlanError: it does not fit this cluster; says what is wrong.
        SwarmctlError: EC2 cannot be asked about an instance.
    """
    try:
        journal = from_brief(raw)
    except SwarmctlError as fault:
        raise _bad(one_line(fault.message, 300)) from fault
    kind = FAULTS.get(journal.experiment)
    if kind is None:
        raise _bad("this version knows no such fault")
    if not re.fullmatch(rf"\d{{8}}-\d{{6}}-{kind.name}(-\d+)?", journal.id):
        raise _bad("its run id is not one of this fault")
    if (journal.cluster, journal.region) != (known.cluster, known.region):
        raise _bad(f"it is not about the cluster {known.cluster} in {known.region}")
    try:
        started = datetime.fromisoformat(journal.started_at)
    except ValueError as fault:
        raise _bad("its start is not a time") from fault
    if started.tzinfo is None:
        raise _bad("its start has no time zone")
    targets = tuple(_target(one, kind, known) for one in journal.targets)
    return Journal(
        id=journal.id,
        experiment=kind.name,
        cluster=known.cluster,
        region=known.region,
        started_at=journal.started_at,
        parameters=_options(journal.parameters, kind),
        hypothesis="",
        targets=targets,
        undo=_undo(journal.undo, targets, kind),
    )


def _bad(why: str) -> BadPlanError:
    return BadPlanError(
        f"the undo plan in the Swarm's chaos lock is not valid: {why}; nothing was done",
        "look at it, on a manager: docker config inspect --pretty swarmctl-chaos-lock; to remove "
        "it: docker config rm swarmctl-chaos-lock",
    )


def _target(found: TargetRecord, kind: Kind, known: Here) -> TargetRecord:
    """A target without its address and container, which no undo needs."""
    name = found.node
    if not _NAME.fullmatch(name) or name not in {*known.instances.values(), *known.nodes.values()}:
        raise _bad("a target is no node of this cluster")
    if not _NODE_ID.fullmatch(found.node_id) or known.nodes.get(found.node_id, name) != name:
        raise _bad(f"the node id of {name} belongs to another node")
    if found.role not in ("manager", "worker"):
        raise _bad(f"the role of {name} is none")
    _check_instance(found, kind, known)
    if found.task and not _NAME.fullmatch(found.task):
        raise _bad(f"the task on {name} has no valid name")
    return TargetRecord(name, found.node_id, found.role, found.instance_id, task=found.task)


def _check_instance(found: TargetRecord, kind: Kind, known: Here) -> None:
    instance = found.instance_id
    if not instance and undo_action(kind) in (*_WITHOUT_INSTANCE, None):
        return
    if not _INSTANCE.fullmatch(instance):
        raise _bad(f"the instance id of {found.node} is none")
    if instance in known.instances:
        if known.instances[instance] != found.node:
            raise _bad(f"{instance} is not the instance of {found.node}")
    elif known.ec2.state(instance) not in GONE:
        raise _bad(f"{instance} is no instance of the cluster {known.cluster}")


def _options(parameters: Mapping[str, Any], kind: Kind) -> dict[str, Any]:
    taken = {f.name for f in fields(Options)} & set(kind.option_names) - {"replace_with"}
    try:
        options = msgspec.convert({k: v for k, v in parameters.items() if k in taken}, Options)
    except msgspec.ValidationError as error:
        raise _bad(f"its options: {one_line(str(error), 200)}") from error
    if options.sever not in SIDES:
        raise _bad("its option sever is none")
    if not 0 < (options.level or 100) <= 100 or not 0 <= options.delay_ms <= _LONGEST_DELAY_MS:
        raise _bad("its options are out of range")
    return options.parameters(sorted(taken))


def _undo(found: Undo, targets: tuple[TargetRecord, ...], kind: Kind) -> Undo:
    action = undo_action(kind)
    if found.state not in ("planned", "failed"):
        raise _bad("it is no plan")
    wanted = () if action is None else targets
    steps = tuple(UndoStep(str(action), t.node, t.node_id, t.instance_id, "") for t in wanted)
    if tuple(replace(step, by_hand="") for step in found.steps) != steps:
        raise _bad(f"its steps are not those that undo {kind.name}")
    return Undo("planned", steps)
