"""The console script ``swarmctl``, and ``python -m swarmctl``.

The commands are imported only in :func:`run`, so that Ctrl-C meanwhile ends as at any other time.
"""

import sys


def run() -> None:
    """Import the commands and run one."""
    try:
        from swarmctl.cli.main import run as run_command

        run_command()
    except KeyboardInterrupt:
        sys.stderr.write("error: interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    run()
