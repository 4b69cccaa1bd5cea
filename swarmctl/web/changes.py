"""The difference of two documents, and what a viewer gets of it. Pure."""

from __future__ import annotations

from typing import Any

from swarmctl.web.document import Document

# kind → {"set": {id: object}, "gone": [id]}
Changes = dict[str, dict[str, Any]]


def changes(before: Document, after: Document) -> Changes:
    """What has to be set and removed to get from one document to the other; empty if nothing."""
    found = {}
    for kind, objects in after.items():
        old = before.get(kind, {})
        new = {key: value for key, value in objects.items() if old.get(key) != value}
        gone = [key for key in old if key not in objects]
        if new or gone:
            found[kind] = {"set": new, "gone": gone}
    return found


def apply(document: Document, change: Changes) -> Document:
    """The document after a change; what the page's ``store.js`` does."""
    after = {kind: dict(objects) for kind, objects in document.items()}
    for kind, part in change.items():
        objects = after.setdefault(kind, {})
        objects.update(part["set"])
        for key in part["gone"]:
            objects.pop(key, None)
    return after
