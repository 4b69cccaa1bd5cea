"""Resolve images to digests, and find the credentials for their registries.

As the docker CLI does (docker/cli cli/command/stack/swarm/deploy_composefile.go, moby
client/service_create.go), a service gets its image by digest, so that all its tasks run the same.
A manager asks the registry. The credentials go to the manager inside the request, and Swarm keeps
them for the nodes that pull. They are never written to a disk there, nor passed in a command line.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from swarmctl.errors import SwarmctlError
from swarmctl.registry.credentials import Keyring
from swarmctl.registry.reference import host_of, with_tag
from swarmctl.stack.deploy.current import CurrentStack
from swarmctl.stack.deploy.desired import DesiredStack
from swarmctl.stack.deploy.specs import IMAGE_LABEL
from swarmctl.swarm.engine import Engine, Json

ALWAYS, CHANGED, NEVER = "always", "changed", "never"

Note = Callable[[str], None]
# Image → header X-Registry-Auth; "" without credentials.
Credentials = Callable[[str], str]


def no_credentials(_image: str) -> str:
    """For registries without authentication."""
    return ""


_keyring = functools.cache(Keyring)  # one for all: a token is asked for once


def local_credentials(registry: str | None = None) -> Credentials:
    """The credentials that this machine has.

    Args:
        registry: ``None``: for every registry; else only tokens of ECR, which are the cluster's,
            and what ``docker login`` has stored for this one.
    """

    def header(image: str) -> str:
        host = host_of(image)
        docker = registry is None or host == registry
        found = _keyring().find(host, docker=docker)
        return found.header() if found else ""

    return header


def resolve_images(
    desired: DesiredStack,
    current: CurrentStack,
    engine: Engine,
    mode: str = CHANGED,
    credentials: Credentials = no_credentials,
    note: Note = lambda _: None,
) -> DesiredStack:
    """Put image digests into the services' specs.

    Args:
        desired: the services, with images as the compose file names them.
        current: the deployed stack.
        engine: a manager, which asks the registries.
        mode: ``always``; ``changed``: only if the image's name has changed; or ``never``.
        credentials: for registries with authentication.
        note: called with each image that has no digest; it is deployed by name.
    """
    services = desired.services
    kept = {n for n, s in services.items() if mode != ALWAYS and _keeps_image(n, s, current)}
    asked = sorted({_name(s) for n, s in services.items() if n not in kept})
    found: dict[str, Json | SwarmctlError] = {}
    if mode != NEVER and asked:
        with ThreadPoolExecutor(min(8, len(asked))) as pool:
            answers = pool.map(lambda image: _look_up(engine, image, credentials), asked)
            found = dict(zip(asked, answers, strict=True))
    for image, answer in found.items():
        if isinstance(answer, SwarmctlError):
            note(f"{image}: deployed by name, no digest: {answer.message}")
    return replace(
        desired,
        services={
            name: _with_current_image(spec, current.services[name]["Spec"])
            if name in kept
            else _with_digest(spec, found.get(_name(spec)))
            for name, spec in services.items()
        },
    )


def _name(spec: Json) -> str:
    """The image as the compose file names it."""
    named = (spec.get("Labels") or {}).get(IMAGE_LABEL)
    return str(named or spec["TaskTemplate"]["ContainerSpec"]["Image"])


def _keeps_image(name: str, spec: Json, current: CurrentStack) -> bool:
    """Whether a service has the image that the file names, and not one set by hand."""
    there, wanted = current.services.get(name), _name(spec)
    if there is None or _name(there["Spec"]) != wanted:
        return False
    image = str(there["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"])
    return image == wanted or image.partition("@")[0] in (wanted, with_tag(wanted))


def _look_up(engine: Engine, image: str, credentials: Credentials) -> Json | SwarmctlError:
    if "@" in image:
        return {}
    try:
        answer: Json = engine.send("GET", f"/distribution/{image}/json", auth=credentials(image))
    except SwarmctlError as fault:
        return fault
    return answer


def _with_digest(spec: Json, answer: Json | SwarmctlError | None) -> Json:
    image = _name(spec)
    if not isinstance(answer, Mapping) or not answer:
        return _with_image(spec, image, [])
    platforms = [_platform(entry) for entry in answer.get("Platforms") or ()]
    return _with_image(spec, f"{with_tag(image)}@{answer['Descriptor']['digest']}", platforms)


def _platform(entry: Mapping[str, str]) -> Json:
    # swarmkit#2294: "arm" of a registry and "armv7l" of a node would not match.
    architecture = entry.get("architecture", "")
    return {
        "Architecture": "" if architecture.lower() == "arm" else architecture,
        "OS": entry.get("os", ""),
    }


def _with_current_image(spec: Json, current: Json) -> Json:
    template = current["TaskTemplate"]
    platforms = (template.get("Placement") or {}).get("Platforms") or []
    return _with_image(spec, template["ContainerSpec"]["Image"], platforms)


def _with_image(spec: Json, image: str, platforms: list[Json]) -> Json:
    template = spec["TaskTemplate"]
    placement = dict(template.get("Placement") or {})
    if platforms:
        placement["Platforms"] = platforms
    container = {**template["ContainerSpec"], "Image": image}
    return {
        **spec,
        "TaskTemplate": {**template, "ContainerSpec": container, "Placement": placement},
    }
