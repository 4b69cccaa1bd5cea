"""Record docs/demo.svg: real commands against the lab that is up, as a picture of a terminal.

Usage, after `make demo`:  eval "$(swarmctl lab env)" && python docs/record.py
"""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path

from rich.console import Console
from rich.text import Text

WIDTH = 118
COMMANDS = (
    "ansible-playbook playbooks/site.yml | tail -n 11",
    "swarmctl status",
    "swarmctl chaos run instance-stop --target swarm_app_wkr2",
)
OUTPUT = Path(__file__).parent / "demo.svg"


def main() -> None:
    """Run each command, and draw what it printed."""
    # Colours as in a terminal, without lines that are drawn over.
    env = os.environ | {
        "TTY_COMPATIBLE": "1",
        "TTY_INTERACTIVE": "0",
        "COLUMNS": str(WIDTH),
        "ANSIBLE_FORCE_COLOR": "1",
    }
    console = Console(record=True, width=WIDTH, file=io.StringIO())
    for command in COMMANDS:
        console.print(Text(f"$ {command}", style="bold"))
        # S602: the commands are the constants above, and one of them has a pipe.
        done = subprocess.run(  # noqa: S602
            command, shell=True, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            check=True,
        )  # fmt: skip
        console.print(Text.from_ansi(done.stdout.decode()), soft_wrap=False)
        console.print()
    console.save_svg(str(OUTPUT), title="swarmctl")


if __name__ == "__main__":
    main()
