"""An experiment file to start from."""

from __future__ import annotations

import json
import re

import jinja2

from swarmctl.chaos.fault.kind import Effect, Kind

# Options of the faults as a file writes them; the example has them as comments.
_TAKES = {
    "force": "force: true  # cut the power instead of a clean shutdown",
    "sever": "from: managers  # or workers, or all (the default)",
    "level": "level: 80  # per cent",
    "delay_ms": "delay: 200ms",
    "replace_with": "replace-with: ansible-playbook playbooks/site.yml",
}
# Words that YAML reads as text without quotes: not `yes`, not `12`.
_PLAIN = re.compile(r"(?!(?:true|false|null)$)[A-Za-z][\w-]{3,}")
_WITHIN = {Effect.RETURNS: "3m"}


def write(kind: Kind, file: str, name: str) -> str:
    """The text of an example that is valid as it is.

    Args:
        kind: the fault.
        file: the name of the file, for its comments.
        name: the experiment's.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("swarmctl.chaos.plan.document", "."),
        autoescape=False,  # noqa: S701  YAML, not HTML
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("experiment.yml.j2").render(
        kind=kind,
        file=file,
        name=name if _PLAIN.fullmatch(name) else json.dumps(name),
        takes=[_TAKES[option] for option in kind.option_names],
        tasks=kind.effect is Effect.TASKS,
        targets=_targets(kind),
        within="3m" if kind.selection.leader else _WITHIN.get(kind.effect, "2m"),
    )


def _targets(kind: Kind) -> str:
    if kind.effect is Effect.TASKS:
        return "targets: {service: three_tier_web, count: 1}"
    if kind.selection.leader:
        return "targets: {leader: true}"
    if kind.selection.percent == 100:
        return "targets: {az: eu-central-1a}"
    return "targets: {role: worker, count: 1}"
