"""The progress of a deploy on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from swarmctl.cli import console
from swarmctl.stack.deploy.converge import Convergence
from swarmctl.stack.deploy.plan import CHECK, DeployPlan

if TYPE_CHECKING:
    from rich.text import Text

_STYLES = {"converged": "green", "failed": "bold red", "progressing": "yellow"}


@dataclass(frozen=True, slots=True)
class ConsoleDeployProgress:
    """Prints what a deploy does; see :class:`swarmctl.stack.deploy.deploy.DeployProgress`."""

    services: Callable[[Sequence[Convergence]], None]

    def note(self, text: str) -> None:
        """Print a remark."""
        console.note(text)

    def planned(self, plan: DeployPlan) -> None:
        """Print how many changes there are."""
        count = sum(change.action != CHECK for change in plan.changes)
        console.note(f"{plan.stack}: {count or 'nothing'} to change")


@contextmanager
def deploy_progress() -> Iterator[ConsoleDeployProgress]:
    """A live line per service on a terminal; elsewhere a line whenever a service changes."""
    if not console.err().is_terminal:
        last: dict[str, str] = {}

        def changes(services: Sequence[Convergence]) -> None:
            for service in services:
                if last.get(service.service) != str(service):
                    console.note(f"  {service}")
                last[service.service] = str(service)

        yield ConsoleDeployProgress(changes)
        return
    from rich.live import Live
    from rich.text import Text

    with Live(Text(), console=console.err(), auto_refresh=False, transient=True) as live:
        yield ConsoleDeployProgress(
            lambda services: live.update(Text("\n").join(map(_line, services)), refresh=True)
        )


def _line(service: Convergence) -> Text:
    from rich.text import Text

    count = f"  {service.ready}/{service.wanted} "
    return Text.assemble((count, _STYLES[service.state]), str(service))
