"""The progress of a deploy on stderr."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.live import Live
from rich.text import Text

from swarmctl.cli import console
from swarmctl.stack.deploy.converge import Convergence
from swarmctl.stack.deploy.deploy import DeployProgress

_STYLES = {"converged": "green", "failed": "bold red", "progressing": "yellow"}


@contextmanager
def deploy_progress() -> Iterator[DeployProgress]:
    """A live line per service on a terminal; elsewhere a line whenever a service changes."""
    if not console.err().is_terminal:
        last: dict[str, str] = {}

        def changes(services: Sequence[Convergence]) -> None:
            for service in services:
                if last.get(service.service) != str(service):
                    console.note(f"  {service}")
                last[service.service] = str(service)

        yield DeployProgress(console.note, changes)
        return

    with Live(Text(), console=console.err(), auto_refresh=False, transient=True) as live:
        yield DeployProgress(
            console.note,
            lambda services: live.update(Text("\n").join(map(_line, services)), refresh=True),
        )


def _line(service: Convergence) -> Text:
    count = f"  {service.ready}/{service.wanted} "
    return Text.assemble((count, _STYLES[service.state]), str(service))
