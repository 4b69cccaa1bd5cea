"""Commands for a person to paste into a shell: what others have named is quoted. Pure."""

from __future__ import annotations

import shlex

# A name that is quoted wherever it is needed; most need no quotes.
word = shlex.quote


def on_node(node: str, command: str) -> str:
    """The command that runs another one on a node.

    Args:
        node: its name; one that begins with a dash is no option of ssh.
        command: as the node's shell shall read it.
    """
    return f"ssh {'-- ' if node.startswith('-') else ''}{word(node)} {command}"
