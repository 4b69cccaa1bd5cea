"""What ``swarmctl image list`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType

from swarmctl.cli import console
from swarmctl.cli.show.table import Column, table
from swarmctl.images.stored import Stored
from swarmctl.reading.quantities import written_size

_COLUMNS = (
    Column("repository"),
    Column("tags"),
    Column("digest"),
    Column("size", right=True),
    Column("pushed"),
    Column("used by", wraps=True),
)


def images_table(host: str, images: Sequence[Stored]) -> RenderableType:
    """The images of a registry, a row each."""
    rows = [
        (
            image.repository,
            ", ".join(image.tags) or "(no tag)",
            image.digest[:19],
            written_size(image.size) if image.size else "?",
            f"{image.pushed:%Y-%m-%d %H:%M}" if image.pushed else "?",
            ", ".join(image.used_by) or "nothing",
        )
        for image in images
    ]
    return table(f"images in {host}", _COLUMNS, rows, console.out().width)


def images_as_data(host: str, images: Sequence[Stored]) -> dict[str, Any]:
    """The same for programs; sizes are bytes, compressed."""
    return {
        "registry": host,
        "images": [
            {
                "repository": image.repository,
                "tags": list(image.tags),
                "digest": image.digest,
                "size": image.size,
                "pushed": image.pushed.isoformat() if image.pushed else None,
                "used_by": list(image.used_by),
            }
            for image in images
        ],
    }
