"""What each node runs and what its archive offers, as the role docker_engine found it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from swarmctl.errors import UsageError
from swarmctl.upgrade.versions import choose, engine_of, same_release

_FORM = '{"NODE": {"running": …, "installed": …, "target": …, "os_packages": N, "on_socket": […]}}'
_LISTED = re.compile(r"^ (?:\*\*\*|   ) (\S+) \d+$")


@dataclass(frozen=True, slots=True)
class Surveyed:
    """One node.

    Attributes:
        running: the version that its Engine says of itself.
        installed: of the Engine's package.
        target: of the package that is to be installed.
        os_packages: other packages that are to be upgraded.
        on_socket: containers that use the Engine's socket and belong to no service.
    """

    running: str
    installed: str
    target: str
    os_packages: int = 0
    on_socket: tuple[str, ...] = ()

    @property
    def engine(self) -> str:
        """The version that the Engine will say of itself."""
        return engine_of(self.target)

    @property
    def current(self) -> bool:
        """Whether nothing is to be done."""
        runs = same_release(self.running, self.engine)
        return runs and self.installed == self.target and not self.os_packages


def from_apt(policy: str, wanted: str) -> dict[str, str]:
    """The installed and the target version by ``apt-cache policy PACKAGE``.

    Args:
        policy: its output.
        wanted: version of the Engine; ``""`` for what apt would install.

    Raises:
        UsageError: see :func:`offer`.
    """
    fields = dict(re.findall(r"^  (Installed|Candidate): (\S+)$", policy, re.MULTILINE))
    listed = [found.group(1) for line in policy.splitlines() if (found := _LISTED.match(line))]
    preferred = fields.get("Candidate", "(none)")
    offered = [preferred] if preferred != "(none)" else []
    offered += [version for version in listed if version != preferred]
    installed = fields.get("Installed", "(none)")
    return offer("" if installed == "(none)" else installed, offered, wanted)


def offer(installed: str, offered: Sequence[str], wanted: str) -> dict[str, str]:
    """The installed and the target version.

    Args:
        installed: version of the package; ``""`` if it is not installed.
        offered: versions in the archive, the one to be preferred first.
        wanted: version of the Engine or of the package; ``""`` for the preferred one.

    Raises:
        UsageError: the archive does not have it; or the Engine is another package's, which this
            one would replace.
    """
    target = choose(offered, wanted)
    if not installed:
        raise UsageError("its Engine is from another package: see docker_engine_source")
    return {"installed": installed, "target": target}


def read_survey(text: str) -> dict[str, Surveyed]:
    """The nodes by name.

    Raises:
        UsageError: it is no survey.
    """
    try:
        found: Any = json.loads(text)
        return {str(name): _node(raw) for name, raw in found.items()}
    except (ValueError, AttributeError, TypeError, KeyError) as fault:
        raise UsageError(f"this is no survey of nodes: {fault!r}", f"expected: {_FORM}") from fault


def _node(raw: Mapping[str, Any]) -> Surveyed:
    return Surveyed(
        running=str(raw["running"]),
        installed=str(raw["installed"]),
        target=str(raw["target"]),
        os_packages=int(raw.get("os_packages", 0)),
        on_socket=tuple(map(str, raw.get("on_socket", ()))),
    )
