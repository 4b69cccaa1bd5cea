"""``swarmctl``: all commands in one application, and errors turned into exit codes.

A ``SwarmctlError`` is printed as ``error: …`` and ``hint: …`` on stderr and sets the exit code; a
mistake in the arguments exits 2; Ctrl-C, SIGTERM and a closed terminal exit 130; a bug in swarmctl
exits 1 and asks for ``--debug``, which prints the traceback.

The files of the commands are imported here, so they import libraries and other packages only inside
the command's function: ``swarmctl --help`` must be quick.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import Annotated, Any

import typer
from typer.core import TyperArgument
from typer.main import get_command

from swarmctl.cli import (
    audit,
    backup,
    chaos,
    console,
    discovery,
    image,
    lab,
    log_group,
    logs,
    node,
    rebalance,
    registry,
    rotation,
    snapshot,
    stack,
    status,
    upgrade,
    web,
)
from swarmctl.errors import Exit, SwarmctlError
from swarmctl.reading.texts import shortened
from swarmctl.signals import end_at_once, end_like_ctrl_c

# Plain help: Rich's boxes are cut in pipes, and importing Rich takes longer than everything else.
app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(status.app)
app.add_typer(audit.app)
app.add_typer(stack.app, name="stack")
app.add_typer(image.app, name="image")
app.add_typer(registry.app, name="registry")
app.add_typer(chaos.app, name="chaos")
app.add_typer(node.app, name="node")
app.add_typer(upgrade.app, name="upgrade")
app.add_typer(rotation.rotate, name="rotate")
app.add_typer(rotation.lock, name="autolock")
app.add_typer(backup.app, name="backup")
app.add_typer(snapshot.app)
app.add_typer(logs.app)
app.add_typer(log_group.app, name="log-group")
app.add_typer(rebalance.app)
app.add_typer(discovery.app, name="discovery")
app.add_typer(web.app)
app.add_typer(lab.app, name="lab")


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        console.emit(f"swarmctl {version('swarmctl')}")
        raise typer.Exit


@app.callback()
def swarmctl(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Print the traceback of an error. Allowed at any position."),
    ] = False,
) -> None:
    """Inspect a Docker Swarm on EC2, deploy templated stacks, and prove that it fails over."""
    # _show_version and main act on both options before a command runs.
    del version, debug


def main(arguments: Sequence[str]) -> int:
    """Run one command line.

    Args:
        arguments: the words after ``swarmctl``.

    Returns:
        The exit code, see :class:`swarmctl.errors.Exit`. Only a bug in swarmctl raises.
    """
    # Removed here, not by Typer, so that it works after any sub-command.
    debug = "--debug" in arguments
    words = [word for word in arguments if word != "--debug"]
    try:
        code = _commands().main(words, prog_name="swarmctl", standalone_mode=False)
    except SwarmctlError as failure:
        _explain(debug)
        console.error(failure.message, failure.hint)
        return int(failure.exit_code)
    except typer.TyperException as mistake:
        _explain(debug)
        return _usage(mistake)
    except (KeyboardInterrupt, typer.Abort):
        _explain(debug)
        console.error("interrupted")
        return int(Exit.INTERRUPTED)
    if code == Exit.INTERRUPTED:  # Typer turns Ctrl-C into this code by itself
        console.error("interrupted")
    return code if isinstance(code, int) else int(Exit.OK)


def _commands() -> Any:
    """All commands. Without this, ``--help`` shows a Python type behind every argument."""
    root = get_command(app)
    left: list[Any] = [root]
    while left:
        command = left.pop()
        left += getattr(command, "commands", {}).values()
        for parameter in command.params:
            if isinstance(parameter, TyperArgument):
                parameter.display_type_rich = lambda ctx: None  # type: ignore[method-assign]  # noqa: ARG005
    return root


def _explain(debug: bool) -> None:
    if debug:
        traceback.print_exc()


def _usage(mistake: typer.TyperException) -> int:
    context = getattr(mistake, "ctx", None)
    if type(mistake).__name__ == "NoArgsIsHelpError":  # its "message" is the whole help text
        console.emit(mistake.format_message())
        return int(Exit.USAGE)
    command = context.command_path if context else "swarmctl"
    words = mistake.format_message().replace("Value error, ", "")  # pydantic's
    console.error(words, f"see `{command} --help`")
    return mistake.exit_code


def _report_fault(
    kind: type[BaseException], fault: BaseException, trace: TracebackType | None
) -> None:
    if "--debug" in sys.argv:
        traceback.print_exception(kind, fault, trace)
    console.error(
        f"swarmctl itself failed: {kind.__name__}: {shortened(str(fault), 1000)}",
        "" if "--debug" in sys.argv else "run it again with --debug and report the traceback",
    )


def run() -> None:
    """The command line of this process; :mod:`swarmctl.__main__` answers Ctrl-C at any time."""
    # A hook, not an `except Exception`: Python itself then exits 1 after reporting.
    sys.excepthook = _report_fault
    end_like_ctrl_c()
    console.share_progress()
    try:
        code = main(sys.argv[1:])
    finally:
        end_at_once()
    sys.exit(code)
