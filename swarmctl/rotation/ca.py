"""A new root certificate, and new certificates for all nodes.

SwarmKit ends a rotation only when every node in its list has a certificate of the new root
(ca/reconciler.go), so a node that is down keeps it from ending for ever.

When a node trusts the new root, it renews its session, and the managers forget which ports it has
chosen (``mode: host`` without a number) for some tasks: those that it has as changed, which
docs/discovery.md explains. The tasks go on serving, but whoever asks the Swarm does not find them
until they are restarted. No others are restarted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence

from swarmctl.errors import RefusedError, SwarmctlError
from swarmctl.rotation.spec import CA, kept
from swarmctl.swarm.engine import Engine, Json, change_service, change_swarm
from swarmctl.swarm.ssh import ManagerError
from swarmctl.wait import wait_for


def rotate(
    engine: Engine,
    *,
    timeout: float,
    restart: bool,
    dry_run: bool,
    note: Callable[[str], None],
) -> list[str]:
    """Give the Swarm a new root certificate, and wait until every node has one of it.

    A rotation that is under way is not begun again: only its end is waited for.

    Args:
        engine: the Swarm.
        timeout: seconds for all nodes, and for each service that is restarted.
        restart: restart the services whose ports the managers forget, or have forgotten.
        dry_run: change nothing.
        note: for progress.

    Returns:
        What was, or would be, changed.

    Raises:
        RefusedError: a node is not ready, an external CA signs, or services would have to be
            restarted; nothing was changed.
        DeadlineExceededError: a node has no new certificate yet; the same command waits again.
    """
    cluster, nodes = engine.get("/swarm"), engine.get("/nodes")
    _refuse_unless_it_ends(cluster, nodes)
    under_way = bool(cluster.get("RootRotationInProgress"))
    services = [s for s in engine.get("/services") or () if _chosen_ports(s) and _expanded(s)]
    if services and not restart:
        names = ", ".join(s["Spec"]["Name"] for s in services)
        raise RefusedError(
            f"the managers would forget the ports that nodes have chosen for {names}: whoever asks "
            "the Swarm would not find them until they are restarted",
            "allow a rolling restart afterwards: --restart-services; or publish fixed ports",
        )
    if dry_run:
        begin = "under way: its end would be waited for" if under_way else "new"
        lines = [f"root certificate: {begin}", f"certificates of {len(nodes)} nodes: new"]
        again = _forgotten(engine, services) if restart else []
        return [*lines, *(f"rolling restart: {s['Spec']['Name']}" for s in again)]
    if under_way:
        note("a rotation of the root certificate is under way: waiting for its end")
    else:
        with kept(engine, *CA):
            change_swarm(engine, _force)  # the Swarm's answer comes when the rotation has begun
    wait_for(
        "every node to have a certificate of the new root",
        lambda: _ended(engine),
        timeout=timeout,
        interval=1.0,
    )
    root = _digest(engine.get("/swarm"))
    if not under_way and root == _digest(cluster):
        raise SwarmctlError(
            "the rotation has ended, and the root certificate is the same as before"
        )
    return [
        f"root certificate: new (SHA-256 {root[:16]}…)",
        f"certificates of {len(nodes)} nodes: new",
        "join tokens: new, because they hold the digest of the root certificate",
        *_find_again(engine, _forgotten(engine, services), timeout, restart=restart, note=note),
    ]


def _find_again(
    engine: Engine,
    services: Sequence[Json],
    timeout: float,
    *,
    restart: bool,
    note: Callable[[str], None],
) -> list[str]:
    """Restart the services whose ports are forgotten, or say which they are."""
    lines = []
    for service in services:
        name = service["Spec"]["Name"]
        if restart:
            note(f"restarting {name}, as its update_config says")
            _restart(engine, service, timeout)
            lines.append(f"rolling restart: {name}")
        else:
            note(
                f"the managers have forgotten the ports that nodes have chosen for {name}: whoever "
                f"asks the Swarm finds it again after docker service update --force {name}"
            )
    return lines


def _forgotten(engine: Engine, expanded: Sequence[Json]) -> list[Json]:
    """Services with a running task of which the managers forget the ports, or have forgotten them.

    A change of leader has that effect, too, on more services than ``expanded``.
    """
    ids = {service["ID"] for service in expanded}
    silent = {
        task["ServiceID"]
        for task in engine.get("/tasks", **{"desired-state": ["running"]}) or ()
        if task["Status"]["State"] == "running"
        and (task["ServiceID"] in ids or not (task["Status"].get("PortStatus") or {}).get("Ports"))
    }
    return [s for s in engine.get("/services") or () if s["ID"] in silent and _chosen_ports(s)]


def _chosen_ports(service: Json) -> bool:
    """Whether it has tasks with such ports. One without tasks, or a job, has no rolling restart."""
    mode = service["Spec"]["Mode"]
    if "Global" not in mode and not (mode.get("Replicated") or {}).get("Replicas"):
        return False
    ports = (service["Spec"].get("EndpointSpec") or {}).get("Ports") or ()
    return any(p.get("PublishMode") == "host" and not p.get("PublishedPort") for p in ports)


def _expanded(service: Json) -> bool:
    """Whether a node's agent has its tasks as changed from the first renewal of a session on.

    The Engine puts the expanded templates into the agent's own copy of the task, and empty maps
    where a volume's options have no labels, or its driver no options (SwarmKit's
    template/expand.go; seen with Engine 26.1, also with the ``DriverConfig {}`` of docker's CLI).
    """
    container = service["Spec"]["TaskTemplate"].get("ContainerSpec") or {}
    mounts = container.get("Mounts") or ()
    volumes = [mount["VolumeOptions"] for mount in mounts if mount.get("VolumeOptions")]
    drivers = [v["DriverConfig"] for v in volumes if v.get("DriverConfig") is not None]
    return (
        "{{" in json.dumps([container.get("Env"), container.get("Hostname"), mounts])
        or not all(volume.get("Labels") for volume in volumes)
        or not all(driver.get("Options") for driver in drivers)
    )


def _restart(engine: Engine, service: Json, timeout: float) -> None:
    """Replace the tasks as the service's ``update_config`` says, and wait for the end."""

    def force(spec: Json) -> Json:
        template = spec["TaskTemplate"]
        count = int(template.get("ForceUpdate", 0)) + 1
        return {**spec, "TaskTemplate": {**template, "ForceUpdate": count}}

    def ended() -> tuple[bool | None, str]:
        try:
            status = engine.get(f"/services/{service['ID']}").get("UpdateStatus") or {}
        except ManagerError as fault:
            return None, fault.message
        state = str(status.get("State", "not begun"))
        if state not in ("completed", "updating", "not begun"):
            raise SwarmctlError(
                f"the root certificate is new, but {name} was not restarted: {state}: "
                f"{status.get('Message', '')}",
                f"restart it, on a manager: docker service update --force {name}",
            )
        return (True if state == "completed" else None), f"its update is {state}"

    name = service["Spec"]["Name"]
    change_service(engine, service["ID"], force)
    wait_for(f"{name} to be restarted", ended, timeout=timeout, interval=1.0)


def _refuse_unless_it_ends(cluster: Json, nodes: Sequence[Json]) -> None:
    """Refuse what would never end, or is not the Swarm's to do."""
    if (cluster["Spec"].get("CAConfig") or {}).get("ExternalCAs"):
        raise RefusedError(
            "an external CA signs this Swarm's certificates: it is rotated there",
            "docker swarm ca --rotate --ca-cert FILE --external-ca …",
        )
    down = [_name(node) for node in nodes if node["Status"]["State"] != "ready"]
    if down:
        raise RefusedError(
            f"not ready: {', '.join(down)}. A rotation ends only when every node in the list has a "
            "new certificate",
            "start them again, or remove those that are gone: docker node rm NODE (a manager is "
            "demoted first)",
        )


def _force(spec: Json) -> Json:
    """As ``docker swarm ca --rotate`` (docker/cli cli/command/swarm/ca.go)."""
    ca = dict(spec.get("CAConfig") or {})
    ca.pop("SigningCACert", None)
    ca.pop("SigningCAKey", None)
    return {**spec, "CAConfig": {**ca, "ForceRotate": int(ca.get("ForceRotate", 0)) + 1}}


def _ended(engine: Engine) -> tuple[bool | None, str]:
    try:
        cluster, nodes = engine.get("/swarm"), engine.get("/nodes")
    except ManagerError as fault:  # the managers connect to each other anew
        return None, fault.message
    wanted = _tls(cluster)
    left = [_name(n) for n in nodes if _tls(n.get("Description") or {}) != wanted]
    if left:
        return None, f"{len(left)} of {len(nodes)} nodes have an old one: {', '.join(left[:8])}"
    if cluster.get("RootRotationInProgress"):
        return None, "every node has one, the managers have not finished"
    return True, ""


def _tls(entry: Json) -> tuple[str, str]:
    """Which root a node trusts, or a Swarm gives out, and who signs."""
    info = entry.get("TLSInfo") or {}
    return str(info.get("TrustRoot", "")).strip(), str(info.get("CertIssuerPublicKey", ""))


def _digest(cluster: Json) -> str:
    return hashlib.sha256(_tls(cluster)[0].encode()).hexdigest()


def _name(node: Json) -> str:
    return str((node.get("Description") or {}).get("Hostname") or node["ID"])
