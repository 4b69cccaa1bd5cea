"""A catalogue as ``--format json`` prints it; the form is stable::

    {"version": 1,
     "endpoints": [{"id", "name", "service", "stack", "task", "slot", "node", "address", "port",
                    "target", "protocol", "mode", "zone", "version", "tags": [TEXT], "since",
                    "path", "balanced"}],
     "urls": {SERVICE: [URL]}, "problems": [{"service", "text"}], "unpublished": [SERVICE]}

and a check::

    {"version": 1, "agree": true, "sources": [NAME], "endpoints": N, "requested": N,
     "disagreements": [{"source", "name", "place", "text", "since"}]}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from swarmctl.discovery.check.check import Checked
from swarmctl.discovery.endpoint import Catalogue, Endpoint


def as_json(
    found: Catalogue, endpoints: Sequence[Endpoint], urls: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """The catalogue, with these of its endpoints, and the URLs of services by name."""
    return {
        "version": 1,
        "endpoints": [asdict(endpoint) for endpoint in endpoints],
        "urls": {service: list(each) for service, each in urls.items()},
        "problems": [asdict(problem) for problem in found.problems],
        "unpublished": list(found.unpublished),
    }


def checked_as_json(checked: Checked) -> dict[str, Any]:
    """The result of a check."""
    return {
        "version": 1,
        "agree": not checked.disagreements,
        "sources": list(checked.sources),
        "endpoints": len(checked.catalogue.endpoints),
        "requested": checked.requested,
        "disagreements": [asdict(each) for each in checked.disagreements],
    }
