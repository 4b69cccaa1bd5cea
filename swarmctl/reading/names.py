"""Names that are misspelt, those that no cluster can have, and names as DNS has them."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from swarmctl.errors import UsageError

# As in roles/preflight/filter_plugins/settings.py.
_CLUSTER_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most similar to this one; ``None`` when none is similar."""
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1)), None)


def suggestion(name: str, known: Iterable[str]) -> str:
    """``did you mean 'web'?`` when a known name is near, else ``""``."""
    near = nearest(name, known)
    return f"did you mean {near!r}?" if near else ""


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that does not exist; its hint lists the names that do.

    Args:
        kind: what the name should have been, for example ``node``.
        name: what the user wrote.
        known: all names that exist.
    """
    names = sorted(known)
    hint = f"{suggestion(name, names)} known: {', '.join(names) or 'none'}"
    return UsageError(f"unknown {kind} {name!r}", hint.strip())


def cluster_name(name: str) -> str:
    """The name itself: it becomes a directory, and a tag filter in which ``*`` matches all names.

    Raises:
        UsageError: no cluster can have this name.
    """
    if _CLUSTER_NAME.fullmatch(name):
        return name
    raise UsageError(
        f"{name!r} is no name of a cluster",
        "allowed: at most 31 lower-case letters, digits and _, starting with a letter",
    )


def dns_label(name: str) -> str:
    """A Swarm or host name as a DNS label: small letters, and ``-`` for all that DNS has not."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
