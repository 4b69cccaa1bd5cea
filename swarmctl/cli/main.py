"""``swarmctl``: the command groups in one application, and errors turned into exit codes.

Whatever a command raises ends here. A ``SwarmctlError`` becomes ``error: …`` and ``hint: …`` on
stderr and its own exit code; a mistake in the arguments exits 2; Ctrl-C exits 130; a fault in
swarmctl itself exits 1 and asks for ``--debug``, which shows the traceback of any of them.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import Annotated

import typer
from typer.main import get_command

from swarmctl.cli import console, lab, rebalance, snapshot, status
from swarmctl.cli.chaos import doctor as chaos_doctor
from swarmctl.cli.chaos import files as chaos_files
from swarmctl.cli.chaos import predict
from swarmctl.cli.chaos import report as chaos_report
from swarmctl.cli.chaos import run as chaos
from swarmctl.cli.stack import render as stack
from swarmctl.errors import Exit, SwarmctlError

# Plain help: Rich's boxes would be cut in pipes, and importing them takes longer than all the rest.
app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(status.app)
app.add_typer(stack.app, name="stack")
chaos.app.add_typer(predict.app)
chaos.app.add_typer(chaos_doctor.app)
chaos.app.add_typer(chaos_files.app)
chaos.app.add_typer(chaos_report.app)
app.add_typer(chaos.app, name="chaos")
app.add_typer(snapshot.app)
app.add_typer(rebalance.app)
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
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error. Allowed anywhere.")
    ] = False,
) -> None:
    """Docker Swarm on EC2: see it, deploy templated stacks to it, and prove that it fails over."""
    # Both options are acted on before a command runs: see _show_version and main.
    del version, debug


def main(arguments: Sequence[str]) -> int:
    """Run one command line and say how it ended.

    Args:
        arguments: the words after ``swarmctl``.

    Returns:
        The exit code, see :class:`swarmctl.errors.Exit`. Only a fault in swarmctl itself raises.
    """
    # Taken out here, not by Typer, so that it works behind any sub-command.
    debug = "--debug" in arguments
    words = [word for word in arguments if word != "--debug"]
    try:
        code = get_command(app).main(words, prog_name="swarmctl", standalone_mode=False)
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


def _explain(debug: bool) -> None:
    if debug:
        traceback.print_exc()


def _usage(mistake: typer.TyperException) -> int:
    context = getattr(mistake, "ctx", None)
    if type(mistake).__name__ == "NoArgsIsHelpError":  # its "message" is the whole help text
        console.emit(mistake.format_message())
        return int(Exit.USAGE)
    command = context.command_path if context else "swarmctl"
    console.error(mistake.format_message(), f"see `{command} --help`")
    return mistake.exit_code


def _report_fault(
    kind: type[BaseException], fault: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):  # Python then ends as the signal would: 130
        console.error("interrupted")
        return
    if "--debug" in sys.argv:
        traceback.print_exception(kind, fault, trace)
    console.error(
        f"swarmctl itself failed: {kind.__name__}: {fault}",
        "" if "--debug" in sys.argv else "run it again with --debug and report the traceback",
    )


def run() -> None:
    """The console script ``swarmctl``."""
    # A hook, not an `except Exception`: Python itself then exits 1 after reporting.
    sys.excepthook = _report_fault
    sys.exit(main(sys.argv[1:]))
