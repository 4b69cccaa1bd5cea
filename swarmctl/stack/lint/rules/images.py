"""SW060: images whose content changes behind their name."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.stack.compose.view import Stack
from swarmctl.stack.lint.rule import Context, Hit, Severity, rule


@rule("SW060", "image-tag", Severity.WARNING, "an image without a fixed tag")
def image_tag(stack: Stack, swarm: Context) -> Iterator[Hit]:
    """A task that moves next month may start another program than the one that died."""
    del swarm
    for service in stack.services:
        path = (*service.path, "image")
        if not service.image or "@" in service.image or stack.has_unset(path):
            continue
        name = service.image.rpartition("/")[2]
        _, _, tag = name.partition(":")
        if tag in ("", "latest"):
            said = "the tag latest" if tag else "no tag, that is latest"
            words = (
                f"the image {service.image!r} has {said}: what it is changes from deploy to "
                "deploy, and a rollback cannot go back; name a version"
            )
            yield Hit(path, words, on_value=True)
