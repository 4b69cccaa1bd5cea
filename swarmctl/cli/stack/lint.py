"""``swarmctl stack lint``: check compose files before a deploy."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from swarmctl.cli import console
from swarmctl.cli.options import (
    ClusterOption,
    ComposeFileOption,
    Format,
    HostOption,
    SetOption,
    ValuesOption,
    read_assignments,
)
from swarmctl.errors import Exit, UsageError

if TYPE_CHECKING:
    from swarmctl.stack.lint.engine import Report
    from swarmctl.stack.lint.snapshot import Snapshot
    from swarmctl.stack.lint.source import Source


# The formats of a lint report.
LintFormat = Literal[Format.TEXT, Format.JSON, Format.SARIF, Format.GITHUB]


def lint(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH…",
            help="Compose files, folders of stacks, or - for stdin; each is checked separately.",
            show_default=False,
        ),
    ] = None,
    compose_files: ComposeFileOption = None,
    snapshot: Annotated[
        Path | None,
        typer.Option(
            "--snapshot",
            metavar="FILE",
            help="Check against this Swarm: a file of `swarmctl snapshot`.",
        ),
    ] = None,
    cluster: ClusterOption = None,
    host: HostOption = None,
    output: Annotated[
        LintFormat, typer.Option("--format", help="Format of the findings on stdout.")
    ] = Format.TEXT,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on warnings too.")] = False,
    fix: Annotated[
        bool, typer.Option("--fix", help="Show a patch with the mechanical fixes instead.")
    ] = False,
    write: Annotated[
        bool, typer.Option("--write", help="With --fix: write the fixes, then lint again.")
    ] = False,
    rules: Annotated[bool, typer.Option("--rules", help="List all rules and exit.")] = False,
    values: ValuesOption = None,
    assignments: SetOption = None,
) -> None:
    """Check compose files: what docker stack refuses, and what fails when a node dies.

    Exits 1 if there is an error (with --strict: or a warning), 2 if a file cannot be read. A line
    is skipped with a comment on it or above it: # swarmctl: disable=SW042
    """
    from swarmctl.stack.lint import engine, source
    from swarmctl.stack.render import values as layers

    if rules:
        _list_rules()
        return
    if bool(paths) is bool(compose_files):
        words = "PATH and -c exclude each other" if paths else "no file to lint"
        raise UsageError(
            words, "name compose files, stacks' folders or -; or -c for each file of one stack"
        )
    if write and not fix:
        raise UsageError("--write needs --fix")
    overrides = layers.parse_set(read_assignments(assignments))
    names = paths or [str(file) for file in compose_files or ()]
    groups = [[source.find(name, values or (), overrides)] for name in names]
    if compose_files:
        groups = [[file for (file,) in groups]]
    swarm = _snapshot(snapshot, cluster, host)
    reports = engine.lint_stacks(groups, os.environ, swarm)
    if fix:
        changed = _fix(reports, os.environ, write=write)
        if not write:
            raise typer.Exit(_code(reports, strict))
        groups = [[_reread(s) if s.label in changed else s for s in group] for group in groups]
        reports = engine.lint_stacks(groups, os.environ, swarm)
    _show(reports, output)
    raise typer.Exit(_code(reports, strict))


def _say(text: str) -> None:
    # Not console.note: importing Rich takes as long as the whole lint.
    typer.echo(text, err=True)


def _snapshot(file: Path | None, cluster: str | None, host: str | None) -> Snapshot | None:
    from swarmctl.stack.lint import snapshot

    if file is not None:
        if cluster or host:
            raise UsageError("--snapshot and a live Swarm exclude each other")
        return snapshot.read(file)
    if cluster is None and host is None:
        return None
    from swarmctl.cluster import resolve

    with resolve(cluster, host).connect() as client:
        return snapshot.parse(client.raw_snapshot())


def _show(reports: Sequence[Report], output: LintFormat) -> None:
    from swarmctl.stack.lint.formats import FORMATS, summary

    text = FORMATS[output](reports)
    if text:
        console.emit(text)
    if output is Format.TEXT:
        _say(summary(reports))


def _code(reports: Sequence[Report], strict: bool) -> int:
    from swarmctl.stack.lint.rule import Severity

    limit = Severity.WARNING if strict else Severity.ERROR
    worst = [severity for report in reports if (severity := report.worst()) is not None]
    return int(Exit.FAILED if any(severity >= limit for severity in worst) else Exit.OK)


def _fix(reports: Sequence[Report], environment: Mapping[str, str], *, write: bool) -> set[str]:
    """Show or write the fixes; returns the labels of the files that changed."""
    from swarmctl.stack.lint.fixes import fix_file

    changed: set[str] = set()
    for report in reports:
        fixed = fix_file(report, environment)
        label = report.source.label
        if report.source.lines:
            _say(f"{label}: a template is not fixed; change it by hand")
        if fixed is None:
            continue
        changed.add(label)
        if write and report.source.writable:
            _write(report.source.writable, fixed.data)
            _say(f"{label}: {fixed.count} fixed")
        else:
            console.emit(fixed.patch(label))
    if not write:
        words = f"{len(changed)} to change; --write changes them" if changed else "nothing to fix"
        _say(words)
    return changed


def _write(path: Path, data: bytes) -> None:
    from swarmctl.errors import SwarmctlError
    from swarmctl.reading.files import write_whole

    try:
        write_whole(path, data)
    except OSError as fault:
        raise SwarmctlError(f"cannot write {path}: {fault.strerror}") from fault


def _reread(old: Source) -> Source:
    from swarmctl.stack.lint import source

    return source.find(old.label) if old.writable else old


def _list_rules() -> None:
    from swarmctl.stack.lint.rules import RULES

    for rule in RULES.values():
        console.emit(f"{rule.id}  {rule.severity!s:7}  {rule.name:18}  {rule.summary}")
