"""Render a stack: from a template and values to the compose file for ``docker stack deploy``.

A stack is a folder::

    stacks/<name>/docker-compose.yml.j2   the template (Jinja2)
    stacks/<name>/values.yml              every value it uses, with its default
    stacks/<name>/…                       files the template includes or attaches

The output is the template's text with the values filled in: order and comments stay, and the same
input gives the same bytes (no clock, no randomness). Text that some YAML reader would misread is
quoted (:mod:`swarmctl.stack.render.quoting`). What a template can use is described in
:mod:`swarmctl.stack.render.template`.

Files that ``configs``, ``secrets`` or ``env_file`` name by a relative path are part of the output,
also without ``attach``. So the output is one folder that can be copied and deployed::

    swarmctl stack render three_tier -o build/three_tier/
    build/three_tier/docker-compose.yml
    build/three_tier/httpd.conf
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from swarmctl.stack.render import template
from swarmctl.stack.render.compose_files import compose_document, named_files, read_named
from swarmctl.stack.render.output import Rendered
from swarmctl.stack.render.template import TEMPLATE
from swarmctl.stack.render.template_faults import explained
from swarmctl.stack.render.values import layered


def render_stack(
    stack: Path,
    values_files: Sequence[Path] = (),
    overrides: Mapping[str, Any] | None = None,
) -> Rendered:
    """Render a stack, with all files that its compose file names.

    Args:
        stack: the stack's folder.
        values_files: YAML files over the stack's ``values.yml``; later ones win.
        overrides: dotted name → value; they win over all files.

    Raises:
        UsageError: bad values, an undefined variable, a failing template, or output that is not a
            compose file; the message has file:line.
    """
    values = {"stack_name": stack.resolve().name, **layered(stack, values_files, overrides)}
    try:
        text, attached = template.fill_in(stack, values)
    except template.FAULTS as fault:
        raise explained(fault, stack, values) from fault
    for name in named_files(compose_document(text, stack / TEMPLATE)):
        if name not in attached:
            attached[name] = read_named(stack, name, stack / TEMPLATE)
    return Rendered(text, files=dict(sorted(attached.items())))
