"""``swarmctl stack deploy`` and ``diff``: the same plan, carried out or only shown."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from swarmctl.cli import console
from swarmctl.cli.options import (
    ClusterOption,
    HostOption,
    SetOption,
    ValuesOption,
    time_option,
)
from swarmctl.errors import Exit, UsageError

if TYPE_CHECKING:
    from swarmctl.stack.deploy.converge import Judgement
    from swarmctl.stack.deploy.plan import Plan
    from swarmctl.stack.render.render import Rendered

StackArgument = Annotated[
    str, typer.Argument(metavar="NAME|PATH", help="A stack's name, folder or compose file.")
]
NameOption = Annotated[
    str | None,
    typer.Option("--as", metavar="NAME", help="The name to deploy under; default: the stack's."),
]
PruneOption = Annotated[
    bool,
    typer.Option("--prune/--no-prune", help="Remove services that are no longer in the file."),
]
ResolveOption = Annotated[
    str,
    typer.Option(
        "--resolve-image",
        metavar="WHEN",
        help="Ask the registry for digests: always, changed (only of images named anew) or never.",
    ),
]
AuthOption = Annotated[
    bool,
    typer.Option(
        "--with-registry-auth", help="Send this machine's Docker credentials to the nodes."
    ),
]
SecretOption = Annotated[
    list[str] | None,
    typer.Option(
        "--make-secret",
        metavar="NAME",
        help="Give this external secret a random value if it does not exist; repeatable.",
    ),
]


def deploy(
    stack: StackArgument,
    values: ValuesOption = None,
    assignments: SetOption = None,
    name: NameOption = None,
    wait: Annotated[
        float, time_option("--wait", "How long the deploy may take, for example 90s or 2m.")
    ] = 120,
    settle: Annotated[
        float,
        typer.Option("--settle", min=0, metavar="S", help="Seconds the final state must hold."),
    ] = 2,
    rollback: Annotated[
        bool, typer.Option("--rollback/--no-rollback", help="Take a failed deploy back.")
    ] = True,
    prune: PruneOption = True,
    resolve_image: ResolveOption = "changed",
    registry_auth: AuthOption = False,
    secrets: SecretOption = None,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Deploy a stack and wait until it runs; if it does not, go back to the version before.

    Exits 1 when it failed and the old version serves, 3 when somebody else deploys this stack, 4
    when the old version does not serve as before.
    """
    from swarmctl.cluster import resolve
    from swarmctl.stack.deploy.deploy import Options, Say
    from swarmctl.stack.deploy.deploy import deploy as deploy_stack

    options = Options(
        wait=wait,
        settle=settle,
        rollback=rollback,
        prune=prune,
        resolve=_when(resolve_image),
        registry_auth=registry_auth,
        make_secrets=tuple(secrets or ()),
    )
    deployed_as, rendered = load(stack, values or [], assignments or [], name)
    with ended_by_sigterm(), progress_of_services() as show:
        say = Say(note=console.note, planned=_tell_plan, progress=show)
        done = deploy_stack(resolve(cluster, host), deployed_as, rendered, options, say)
    for secret in done.made_secrets:
        console.emit(f"+ secret {secret} (random value)")
    for line in done.plan.lines():
        console.emit(line)
    what = "deployed" if done.changed else "unchanged"
    total = ", ".join(f"{j.service} {j.ready}/{j.wanted}" for j in done.judgements)
    console.emit(f"{deployed_as}: {what} after {done.seconds:.1f} s: {total or 'no services'}")


def diff(
    stack: StackArgument,
    values: ValuesOption = None,
    assignments: SetOption = None,
    name: NameOption = None,
    prune: PruneOption = True,
    resolve_image: ResolveOption = "changed",
    registry_auth: AuthOption = False,
    secrets: SecretOption = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit 1 when there is a difference.")
    ] = False,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Show what a deploy would change in the Swarm; change nothing. Secrets are masked."""
    from swarmctl.cluster import resolve
    from swarmctl.stack.deploy.current import look
    from swarmctl.stack.deploy.deploy import Options, Say, connect, make_plan
    from swarmctl.swarm.engine import SwarmEngine

    options = Options(
        prune=prune,
        resolve=_when(resolve_image),
        registry_auth=registry_auth,
        make_secrets=tuple(secrets or ()),
    )
    deployed_as, rendered = load(stack, values or [], assignments or [], name)
    with connect(resolve(cluster, host)) as swarm:
        engine = SwarmEngine(swarm)
        current = look(engine, deployed_as)
        say = Say(note=console.note)
        todo = make_plan(swarm, engine, deployed_as, rendered, current, options, say)
        missing = [s for s in options.make_secrets if s not in current.known["secrets"]]
    lines = [*(f"+ secret {secret} (random value)" for secret in missing), *todo.lines()]
    for line in lines:
        console.emit(line)
    for check in (change for change in todo.changes if change.action == "check"):
        console.note(f"note: whether secret {check.name} has the same content only a deploy tells")
    raise typer.Exit(int(Exit.FAILED if lines and exit_code else Exit.OK))


def load(
    stack: str, files: list[Path], assignments: list[str], name: str | None
) -> tuple[str, Rendered]:
    """The name to deploy under, and the rendered stack.

    Raises:
        UsageError: see :mod:`swarmctl.stack.render.render`; or the name is none that Swarm takes.
    """
    from swarmctl.stack.render import render
    from swarmctl.stack.render import values as layers

    compose = Path(stack)
    if compose.suffix in (".yml", ".yaml") and compose.is_file():
        if files or assignments:
            raise UsageError(f"{stack} is no template, so it has no values to set")
        rendered, found = render.load_compose(compose), compose.resolve().parent.name
        return _valid(name or found), rendered
    if compose.suffix in (".yml", ".yaml"):
        raise UsageError(f"there is no file {stack}", "name a compose file or a stack")
    overrides = layers.parse_set(assignments)
    folder = render.find_stack(stack)
    for line in layers.strangers(folder, files, overrides):
        console.note(f"note: {line}")
    deployed_as = _valid(name or folder.resolve().name)
    return deployed_as, render.render_stack(folder, files, {"stack_name": deployed_as, **overrides})


def _valid(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", name):
        raise UsageError(
            f"a stack cannot be called {name!r}",
            "letters, digits, _ . and -, beginning with a letter or digit: --as NAME",
        )
    return name


def _when(text: str) -> str:
    from swarmctl.stack.deploy.images import RESOLVE

    if text not in RESOLVE:
        raise UsageError(f"cannot read --resolve-image {text!r}", f"one of {', '.join(RESOLVE)}")
    return text


def _tell_plan(todo: Plan) -> None:
    count = sum(change.action != "check" for change in todo.changes)
    console.note(
        f"{todo.stack}: {count} to change" if count else f"{todo.stack}: nothing to change"
    )


@contextmanager
def progress_of_services() -> Iterator[Callable[[list[Judgement]], None]]:
    """A live line for each service on a terminal; elsewhere a line whenever a service changes."""
    if not console.err().is_terminal:
        last: dict[str, str] = {}

        def say(judgements: list[Judgement]) -> None:
            for judgement in judgements:
                if last.get(judgement.service) != str(judgement):
                    console.note(f"  {judgement}")
                last[judgement.service] = str(judgement)

        yield say
        return
    from rich.live import Live
    from rich.text import Text

    with Live(Text(), console=console.err(), auto_refresh=False, transient=True) as live:

        def show(judgements: list[Judgement]) -> None:
            lines = [_line(judgement) for judgement in judgements]
            live.update(Text("\n").join(lines), refresh=True)

        def _line(judgement: Judgement) -> Text:
            style = {"converged": "green", "failed": "bold red"}.get(judgement.state, "yellow")
            return Text.assemble(
                (f"  {judgement.ready}/{judgement.wanted} ", style), str(judgement)
            )

        yield show


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Treat SIGTERM, by which a CI system cancels, like Ctrl-C: the deploy is taken back."""

    def interrupt(number: int, frame: FrameType | None) -> NoReturn:
        del number, frame
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
