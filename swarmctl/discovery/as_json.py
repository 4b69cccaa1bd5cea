"""A catalogue as ``--format json`` prints it; the form is stable::

{"version": 1,
 "endpoints": [{"id", "name", "service", "stack", "task", "slot", "node", "address", "port",
                "target", "protocol", "mode", "zone", "version", "tags": [TEXT], "since"}],
 "problems": [{"service", "text"}], "unpublished": [SERVICE]}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from swarmctl.discovery.endpoint import Catalogue, Endpoint


def as_json(found: Catalogue, endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The catalogue, with these of its endpoints."""
    return {
        "version": 1,
        "endpoints": [asdict(endpoint) for endpoint in endpoints],
        "problems": [asdict(problem) for problem in found.problems],
        "unpublished": list(found.unpublished),
    }
