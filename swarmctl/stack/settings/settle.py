"""Which settings a deploy uses: those given, over those recorded, and a way to publish."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from swarmctl.errors import UsageError
from swarmctl.images.names import Names, local_names
from swarmctl.network.kernels import Kernels
from swarmctl.stack.render.settings import Settings
from swarmctl.stack.render.source import StackChoice, StackSource
from swarmctl.stack.render.values import layered
from swarmctl.stack.settings import record
from swarmctl.stack.settings.record import Recorded
from swarmctl.stack.settings.versions import with_versions
from swarmctl.swarm.engine import Engine

Note = Callable[[str], None]

# The value by which a template publishes through the routing mesh or on its nodes' own ports.
PUBLISH, MESH, HOST = "publish", "mesh", "host"


def load(
    engine: Engine,
    choice: StackChoice,
    kernels: Callable[[], Kernels],
    note: Note,
    *,
    recorded: bool = True,
    images: Names = local_names,
) -> tuple[Settings, StackSource]:
    """The settings to deploy with, and the stack rendered with them.

    Args:
        engine: the Swarm, which has the record.
        choice: what the command line names.
        kernels: asks the nodes for ``ip_vs``.
        note: called with each decision, one line.
        recorded: whether the settings of the last deploy are used.
        images: names the images that the template asks for.

    Raises:
        UsageError: recorded settings cannot be used here, or the stack cannot be rendered.
    """
    settings = choice.given
    if choice.folder:
        if recorded:
            last = record.read(engine, choice.name, choice.folder)
            settings = with_recorded(choice.name, settings, last, note)
        settings = with_publish(choice.name, choice.folder, settings, kernels, note)
    used = settings
    if choice.folder:  # not recorded: the labels of the secrets tell it
        used = with_versions(choice.folder, choice.given, settings, engine, note)
    source = choice.load(used, images)
    for line in source.notes:
        note(line)
    return settings, source


def save(engine: Engine, choice: StackChoice, settings: Settings) -> None:
    """Record what a stack was deployed with; compose files have no settings."""
    if choice.folder:
        record.write(engine, choice.name, choice.folder, settings)
    else:
        record.forget(engine, choice.name)


def with_recorded(stack: str, given: Settings, recorded: Recorded | None, note: Note) -> Settings:
    """The given settings over the recorded ones.

    Raises:
        UsageError: a recorded value was not kept because it may be secret, or a recorded values
            file is not on this machine.
    """
    if recorded is None:
        return given
    own = given.names()
    for name in recorded.hidden:
        if name not in own:
            raise UsageError(
                f"{stack} was deployed with --set {name}=…, not recorded because it may be secret",
                "give it again; or --no-recorded, to use only what is given here",
            )
    for path in recorded.settings.files:
        if not path.is_file():
            raise UsageError(
                f"{stack} was deployed with the values file {path}, which does not exist here",
                "get that file; or --no-recorded, to use only what is given here",
            )
    settings = given.over(recorded.settings)
    used = Settings(
        tuple(path for path in settings.files if path not in given.files),
        {n: v for n, v in settings.values.items() if n not in given.values},
    )
    if words := used.words():
        note(f"{stack}: as the last deploy: {words} (--no-recorded ignores it)")
    return settings


def with_publish(
    stack: str, folder: Path, settings: Settings, kernels: Callable[[], Kernels], note: Note
) -> Settings:
    """The settings with ``publish`` chosen, if the stack has it and nobody has set it.

    Args:
        stack: its name.
        folder: its folder.
        settings: given and recorded.
        kernels: asks the nodes for ``ip_vs``, which the routing mesh needs.
        note: called with the choice.
    """
    if PUBLISH in settings.names() or layered(folder).get(PUBLISH) not in (MESH, HOST):
        return settings
    found = kernels()
    if found.without_ip_vs:
        mode = HOST
        nodes = ", ".join(found.without_ip_vs)
        why = f"no ip_vs in the kernel of {nodes}: no routing mesh, a free port for each replica"
    else:
        mode, why = MESH, "every kernel has ip_vs: routing mesh"
        if found.silent:
            why = f"not every node answered: {'; '.join(found.silent.values())}"
    note(f"{stack}: --set {PUBLISH}={mode} ({why})")
    return Settings(settings.files, {**settings.values, PUBLISH: mode})
