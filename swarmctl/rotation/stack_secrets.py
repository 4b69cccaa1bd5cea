"""A new value for a stack's secrets, without losing a request.

    new version (made) → told to the service that checks it (valid) → deploy: services move to it
                       → the former one ends (alone) → former versions are removed

How far it is, is in the labels of the new secret: a rotation that was stopped goes on.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from shlex import quote

from swarmctl.autolock.switch import shell_of
from swarmctl.cluster import Target
from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.stack.deploy.current import references
from swarmctl.stack.deploy.deploy import (
    DeployOptions,
    DeployProgress,
    connect,
    deploy,
    preview,
)
from swarmctl.stack.render.folders import stack_names, stacks_dir
from swarmctl.stack.render.settings import Settings
from swarmctl.stack.render.source import StackChoice
from swarmctl.stack.settings import recipe as recipes
from swarmctl.stack.settings import record
from swarmctl.stack.settings.recipe import Recipe
from swarmctl.stack.settings.versions import (
    ALONE,
    MADE,
    NUMBER,
    OF,
    STATE,
    VALID,
    Version,
    newest_valid,
    secret_name,
    suffix,
    versions,
)
from swarmctl.swarm import lock
from swarmctl.swarm.connect import Failover
from swarmctl.swarm.engine import Engine, Json, SwarmEngine, change_secret, delete
from swarmctl.swarm.patience import Patient, again

_PATIENCE_S = 30.0
_COMMAND_S = 60.0
_END = "SWARMCTL-END-OF-SECRET"


@dataclass(frozen=True, slots=True)
class Rotation:
    """One secret of a stack, and what its rotation needs."""

    target: Target
    choice: StackChoice
    engine: Engine
    recipe: Recipe
    name: str  # of the first version

    @property
    def stack(self) -> str:
        """The name it is deployed under."""
        return self.choice.name

    def found(self) -> list[Version]:
        """The versions that exist."""
        return versions(self.engine.get("/secrets") or (), self.name)


def rotate(
    target: Target,
    choice: StackChoice,
    options: DeployOptions,
    progress: DeployProgress,
    *,
    dry_run: bool,
) -> list[str]:
    """Give the secrets of a deployed stack new values; see the stack's ``rotation.yml``.

    Args:
        target: the cluster.
        choice: the stack, with settings over those of the last deploy.
        options: of the deploys.
        progress: of the deploys.
        dry_run: change nothing.

    Returns:
        What was, or would be, changed.

    Raises:
        UsageError: the stack does not say how, is not deployed, or cannot be deployed again as it
            was; nothing was changed.
        SwarmctlError: a command failed, or the deploy: the former secret is still valid, and the
            same command goes on.
        RefusedError: another process rotates or deploys the stack.
    """
    folder = choice.folder
    found = recipes.read(folder) if folder else ()
    if not folder or not found:
        raise UsageError(
            f"{choice.name} has no {recipes.FILE}: nothing says how its secrets are rotated",
            "docs/operations/rotate.md has its form",
        )
    seconds = 2 * options.wait + options.rollback_timeout + 600
    lines: list[str] = []
    with connect(target) as swarm:
        if choice.name not in _deployed(swarm):
            raise UsageError(
                f"the stack {choice.name} is not deployed",
                f"deploy it first: swarmctl stack deploy {choice.name}",
            )
        # What else its files would change is shown; a fault is found before anything changes.
        others = preview(target, choice, options, progress.note if dry_run else lambda _: None)
        engine = Patient(SwarmEngine(swarm), _PATIENCE_S, progress.note)
        last = record.read(engine, choice.name, folder)
        settings = choice.given.over(last.settings if last else Settings())
        for recipe in found:
            name = secret_name(folder, settings, recipe)
            one = Rotation(target, choice, engine, recipe, name)
            _container(one)
            if dry_run:
                lines += _preview(one)
                continue
            owner = lock.this_process("rotate")
            with lock.held(engine, _lock_of(choice.name), seconds, owner, progress.note):
                lines += _rotate(one, options, progress)
    return [*lines, *others] if dry_run else lines


def rotatable(target: Target) -> list[str]:
    """The stacks that are deployed and say how their secrets are rotated.

    Raises:
        UsageError: there is none.
    """
    with connect(target) as swarm:
        deployed = _deployed(swarm)
    found = [n for n in stack_names() if n in deployed and recipes.read(stacks_dir() / n)]
    if not found:
        raise UsageError(
            f"no stack that is deployed has a {recipes.FILE}: there are no secrets to rotate",
            "docs/operations/rotate.md has its form",
        )
    return found


def _lock_of(stack: str) -> lock.Subject:
    """Not the stack's own lock, which the deploy takes."""
    name, what = f"swarmctl-rotation-{stack}"[:64], f"rotation of {stack}"
    return lock.Subject(name, what, f"the {what}", f"docker config rm {name}")


def _deployed(swarm: Failover) -> set[str]:
    return {service.stack for service in again(swarm.snapshot, _PATIENCE_S).services}


def _rotate(one: Rotation, options: DeployOptions, progress: DeployProgress) -> list[str]:
    found = one.found()
    current = _current(one, found)
    for version in found:
        if version.state == MADE:  # nobody knows its value any more
            delete(one.engine, f"/secrets/{version.id}")
    if current.state == ALONE:
        new = _make(one, current)
    else:
        progress.note(f"{one.stack}: a rotation was interrupted: going on with {current.name}")
        new = current
    former = max((v.number for v in found if v.number < new.number), default=1)
    progress.note(f"{one.stack}: {new.name} is valid; moving the services to it")
    deployed = deploy(one.target, one.choice, options, progress)
    progress.note(deployed[-1])
    _run(one, one.recipe.after, new.number, former)
    _label(one, new, ALONE)
    return [f"+ secret {new.name} (random value)", *_remove_former(one, new)]


def _preview(one: Rotation) -> list[str]:
    found = one.found()
    current = _current(one, found)
    number = current.number + (current.state == ALONE)
    lines = [f"+ secret {one.name}{suffix(number)} (random value)"]
    former = [v for v in found if v.number < number]
    used = _users(one.engine.get("/services") or (), {v.id for v in former})
    moved = f"{one.stack}_{one.recipe.service}"
    words = ", ".join(sorted({s for names in used.values() for s in names} - {moved}))
    lines += [f"~ services that use it: {words}"] if words else []
    return [*lines, *(f"- secret {v.name}" for v in former if moved not in used.get(v.id, []))]


def _current(one: Rotation, found: Sequence[Version]) -> Version:
    current = newest_valid(found)
    if current is None:
        raise UsageError(
            f"the Swarm has no secret {one.name}",
            f"deploy first: swarmctl stack deploy {one.stack}",
        )
    return current


def _make(one: Rotation, current: Version) -> Version:
    """Create the next version, and make it valid beside the current one."""
    number = current.number + 1
    name, value = f"{one.name}{suffix(number)}", secrets.token_urlsafe(24)
    labels = {OF: one.name, NUMBER: str(number), STATE: MADE}
    data = base64.b64encode(value.encode()).decode()
    made = one.engine.send(
        "POST", "/secrets/create", {"Name": name, "Labels": labels, "Data": data}
    )
    version = Version(made["ID"], name, number, MADE)
    _run(one, one.recipe.before, number, current.number, value)
    _label(one, version, VALID)
    return version


def _label(one: Rotation, version: Version, state: str) -> None:
    def change(spec: Json) -> Json:
        return {**spec, "Labels": {**spec["Labels"], STATE: state}}

    change_secret(one.engine, version.id, change)


def _run(one: Rotation, command: str, new: int, former: int, value: str = "") -> None:
    """Run a recipe's command in a container of its service; the secret goes to its stdin."""
    node, container = _container(one)
    argv = ["docker", "exec", "-i", container, "sh", "-c", command]
    words = " ".join(map(quote, [*argv, "rotate", suffix(new), suffix(former)]))
    shell = shell_of(one.target)
    try:
        shell.run(node, f"{words} <<'{_END}'\n{value}\n{_END}\n", _COMMAND_S)
    finally:
        shell.close()


def _container(one: Rotation) -> tuple[str, str]:
    """Where the recipe's commands run: the hostname of a node, and the id of a container there."""
    service = f"{one.stack}_{one.recipe.service}"
    swarm = again(one.engine.snapshot, _PATIENCE_S)
    hosts = {node.id: node.hostname for node in swarm.nodes if node.live}
    tasks = [
        task
        for found in swarm.services
        if found.name == service
        for task in swarm.serving(found)
        if task.container_id and task.node_id in hosts
    ]
    if not tasks:
        raise SwarmctlError(
            f"{service} does not run: no container can take the new secret", "see swarmctl status"
        )
    return hosts[tasks[0].node_id], tasks[0].container_id


def _remove_former(one: Rotation, new: Version) -> list[str]:
    """Remove older versions, except those that a service names."""
    lines = []
    former = [v for v in one.found() if v.number < new.number]
    used = _users(one.engine.get("/services") or (), {v.id for v in former})
    for version in former:
        if names := used.get(version.id):
            lines.append(
                f"  secret {version.name}: stays, {', '.join(names)} has it; it opens nothing"
            )
        else:
            delete(one.engine, f"/secrets/{version.id}")
            lines.append(f"- secret {version.name}")
    return lines


def _users(services: Iterable[Json], ids: set[str]) -> dict[str, list[str]]:
    """The names of the services that use each of these secrets now."""
    used: dict[str, list[str]] = {}
    for service in services:
        for reference in references(service["Spec"], "Secret"):
            if reference["SecretID"] in ids:
                used.setdefault(reference["SecretID"], []).append(service["Spec"]["Name"])
    return used
