"""When a service's pull credentials were last renewed: two labels of the service. Pure.

Swarm hands the credentials to the nodes and never shows them, nor when they came. The labels are
the service's, not its containers', so a change of them restarts no task.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from swarmctl.reading.times import time_or_none
from swarmctl.registry.reference import host_of

Json = dict[str, Any]

# https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html
# Credentials that do not tell their end are treated as if they were ECR's.
LIFE = timedelta(hours=12)

RENEWED, HOST = "swarmctl.registry.renewed", "swarmctl.registry.host"
LABELS = (RENEWED, HOST)


@dataclass(frozen=True, slots=True)
class Renewed:
    """What the labels of a service tell.

    Attributes:
        host: of the registry that the credentials are for.
        at: when they were given to Swarm.
    """

    host: str
    at: datetime


def image_of(spec: Mapping[str, Any]) -> str:
    """The image of a service's spec; ``""`` if it runs no container."""
    container = (spec.get("TaskTemplate") or {}).get("ContainerSpec") or {}
    return str(container.get("Image") or "")


def read(spec: Mapping[str, Any]) -> Renewed | None:
    """When the credentials for the service's image were renewed; ``None`` if that is not known.

    It is not known either when the labels are of another registry than the image.
    """
    labels = spec.get("Labels") or {}
    host, at = str(labels.get(HOST, "")), time_or_none(str(labels.get(RENEWED, "")))
    return Renewed(host, at) if at and host == host_of(image_of(spec)) else None


def age(spec: Mapping[str, Any], now: datetime) -> timedelta | None:
    """How old the credentials are; ``None`` if that is not known."""
    found = read(spec)
    return max(now - found.at, timedelta()) if found else None


def stamped(spec: Mapping[str, Any], now: datetime) -> Json:
    """The spec with labels that tell that its credentials are renewed with it."""
    at = now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    labels = {RENEWED: at, HOST: host_of(image_of(spec))}
    return {**spec, "Labels": {**(spec.get("Labels") or {}), **labels}}


def carried(spec: Mapping[str, Any], current: Mapping[str, Any]) -> Json:
    """The spec with the labels of the current one: Swarm keeps the credentials, too."""
    there = current.get("Labels") or {}
    kept = {name: there[name] for name in LABELS if name in there}
    return {**spec, "Labels": {**(spec.get("Labels") or {}), **kept}} if kept else dict(spec)


def without(spec: Mapping[str, Any]) -> Json:
    """The spec without these labels."""
    labels = {k: v for k, v in (spec.get("Labels") or {}).items() if k not in LABELS}
    return {**spec, "Labels": labels}
