"""``python -m swarmctl``: the same as the console script."""

from swarmctl.cli.main import run

run()
