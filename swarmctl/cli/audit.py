"""``swarmctl audit``: will it still fail over at 3 a.m.?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from swarmctl.cli import completion, console
from swarmctl.cli.options import ClusterOption, Format, HostOption, TableOrJson
from swarmctl.errors import Exit, UsageError
from swarmctl.reading.names import unknown
from swarmctl.reading.texts import reason

app = typer.Typer()


@app.command()
def audit(
    stacks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STACK]…",
            help="Whose services to check; nodes and managers always are.  [default: all]",
            autocompletion=completion.stacks,
            show_default=False,
        ),
    ] = None,
    format_: TableOrJson = Format.TABLE,
    deep: Annotated[
        bool, typer.Option("--deep", help="Check the network as well, as status --deep does.")
    ] = False,
    security: Annotated[
        bool,
        typer.Option("--security", help="Check instead whether what protects the cluster is set."),
    ] = False,
    trust: Annotated[
        list[str] | None,
        typer.Option(
            "--trust",
            metavar="SERVICE",
            help="With --security: this service may have the Engine's socket; repeatable.",
        ),
    ] = None,
    accept: Annotated[
        list[str] | None,
        typer.Option(
            "--accept",
            metavar="CHECK",
            help="Do not fail for what this check finds; repeatable.",
        ),
    ] = None,
    unlock_key_file: Annotated[
        Path | None,
        typer.Option(
            "--unlock-key-file",
            metavar="FILE",
            help="The stored key of autolocked managers; it is compared with the Swarm's.",
        ),
    ] = None,
    unlock_key_stored: Annotated[
        bool, typer.Option("--unlock-key-stored", help="You have stored that key elsewhere.")
    ] = False,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> int:
    """Check what a healthy Swarm needs to fail over: images, credentials, certificates, room.

    Nothing is changed. Exit code: 0 nothing would keep it from failing over (as far as is known:
    see the lines with ?), 1 something would, 2 wrong input.
    """
    from swarmctl.audit.audit import NAMES, fails
    from swarmctl.audit.audit import audit as run_checks
    from swarmctl.audit.gather import Wanted, gather
    from swarmctl.audit.security.checks import CHECKS, audit_security
    from swarmctl.audit.security.gather import gather as gather_security
    from swarmctl.cluster import resolve

    if security and (stacks or deep or unlock_key_file or unlock_key_stored):
        raise UsageError("--security checks all of the cluster", "leave out the other options")
    if trust and not security:
        raise UsageError("--trust belongs to --security")
    names = tuple(CHECKS) if security else NAMES
    for name in accept or ():
        if name not in names:
            raise unknown("check", name, names)
    if security:
        checks = audit_security(gather_security(resolve(cluster, host), trust or ()))
    else:
        key = _read_key(unlock_key_file) if unlock_key_file else ""
        wanted = Wanted(stacks or (), deep, key, unlock_key_stored)
        checks = run_checks(gather(resolve(cluster, host), wanted))
    if format_ is Format.JSON:
        console.emit_json({"checks": [asdict(check) for check in checks]})
    else:
        from swarmctl.cli.show.audit import FAILOVER, SECURITY, audit_lines

        danger = SECURITY if security else FAILOVER
        console.out().print(audit_lines(checks, accept or (), danger), soft_wrap=True)
    return int(Exit.FAILED if fails(checks, accept or ()) else Exit.OK)


def _read_key(path: Path) -> str:
    try:
        key = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as fault:
        raise UsageError(f"cannot read --unlock-key-file {path}: {reason(fault)}") from fault
    if not key:
        raise UsageError(f"--unlock-key-file {path} is empty")
    return key
