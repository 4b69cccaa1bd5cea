"""``swarmctl stack``."""

from __future__ import annotations

from swarmctl.cli.stack import render

app = render.app
