"""Who talks to the Engine through its socket, and may speak a version of the API too old: pure.

Engine 29 answers no request below version 1.44; Traefik 2 and others then fail
(https://github.com/traefik/traefik/issues/12253).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from swarmctl.swarm.model import Service, Swarm
from swarmctl.upgrade.survey import Surveyed
from swarmctl.upgrade.versions import least_api, numbers

_FIXED = "DOCKER_API_VERSION="


def socket_warnings(swarm: Swarm, survey: Mapping[str, Surveyed]) -> Iterator[str]:
    """A line for each client that may fail, if the least version rises."""
    before = min((least_api(node.running) for node in survey.values()), default=(0, 0))
    after = max((least_api(node.engine) for node in survey.values()), default=(0, 0))
    if after <= before:
        return
    least = ".".join(map(str, after))
    for service in swarm.services:
        if not any(mount.engine_socket for mount in service.mounts):
            continue
        fixed = _api_version(service)
        if fixed and numbers(fixed) < after:
            yield f"{service.name}: {_FIXED}{fixed}: the new Engine answers from {least} on"
        elif not fixed:
            yield (
                f"{service.name} ({service.image.partition('@')[0]}) uses the Engine's socket: "
                f"its client must speak version {least} of the API or later"
            )
    for name, node in survey.items():
        for container in node.on_socket:
            yield (
                f"{name}: the container {container} uses the Engine's socket: its client must "
                f"speak version {least} of the API or later"
            )


def _api_version(service: Service) -> str:
    container = service.task_spec.get("ContainerSpec") or {}
    given = [e for e in container.get("Env") or () if str(e).startswith(_FIXED)]
    return str(given[-1]).removeprefix(_FIXED) if given else ""
