"""SW020 to SW024: keys that ``docker stack deploy`` accepts and ignores."""

from __future__ import annotations

from collections.abc import Iterator

from swarmctl.stack.compose.check import version_of
from swarmctl.stack.compose.document import Document
from swarmctl.stack.compose.language import NEWEST
from swarmctl.stack.compose.view import Stack
from swarmctl.stack.lint.rule import Context, Edit, Hit, Severity, rule

_IGNORED = {
    "cgroup_parent": "",
    "cgroupns_mode": "",
    "container_name": "tasks are named stack_service.slot.id",
    "devices": "run the service outside Swarm, or use generic_resources",
    "domainname": "set the full name in hostname",
    "ipc": "",
    "mac_address": "",
    "pid": "",
    "privileged": "add the capabilities it needs with cap_add",
    "security_opt": "set it in the Engine of the nodes",
    "shm_size": "mount a tmpfs at /dev/shm with the size you need",
    "userns_mode": "",
}


@rule("SW020", "build-ignored", Severity.WARNING, "docker stack does not build images")
def build(stack: Stack, _: Context) -> Iterator[Hit]:
    """Nodes pull the image; an image built on one machine is only on that machine."""
    for service in stack.services:
        if service.get("build") is not None:
            words = "docker stack ignores build: build and push the image before the deploy"
            yield Hit((*service.path, "build"), words)


@rule("SW021", "key-ignored", Severity.WARNING, "docker stack ignores this key")
def ignored(stack: Stack, _: Context) -> Iterator[Hit]:
    """The keys listed by docker stack deploy as unsupported or deprecated."""
    for service in stack.services:
        for key, instead in _IGNORED.items():
            if service.get(key) not in (None, False, ""):
                words = f"docker stack ignores {key}" + (instead and f": {instead}")
                yield Hit((*service.path, key), words)
        for name, path in service.networks:
            for key in ("ipv4_address", "ipv6_address"):
                if service.get("networks", name, key):
                    words = f"docker stack ignores {key}: use the service's name instead"
                    yield Hit((*path, key), words)
        if service.get("expose") is not None:
            words = "expose is ignored: services on a network can reach all ports of each other"
            yield Hit((*service.path, "expose"), words, severity=Severity.INFO)


@rule("SW022", "depends-on", Severity.INFO, "a Swarm starts services in any order")
def depends_on(stack: Stack, _: Context) -> Iterator[Hit]:
    """Tasks start and move in any order; conditions are refused."""
    for service in stack.services:
        value = service.get("depends_on")
        if value:
            conditions = isinstance(value, dict)
            words = "docker stack ignores depends_on: make the service wait and retry"
            yield Hit(
                (*service.path, "depends_on"),
                words + (" (conditions are refused)" if conditions else ""),
                severity=Severity.WARNING if conditions else None,
            )


@rule("SW023", "restart-ignored", Severity.WARNING, "restart is for docker compose")
def restart(stack: Stack, _: Context) -> Iterator[Hit]:
    """docker stack reports it as ignored, but uses it if there is no restart_policy."""
    for service in stack.services:
        if not isinstance(service.get("restart"), str):
            continue
        path = (*service.path, "restart")
        if service.get("deploy", "restart_policy") is not None:
            yield Hit(path, "restart is ignored because of deploy.restart_policy: remove it")
        elif service.text("restart") == "no":
            words = "restart: no has no effect: use deploy.restart_policy.condition: none"
            yield Hit(path, words)
        else:
            words = "docker stack reports restart as ignored: use deploy.restart_policy"
            yield Hit(path, words)


@rule("SW024", "version", Severity.INFO, "the line `version` is obsolete")
def version(stack: Stack, _: Context) -> Iterator[Hit]:
    """It only picks an older schema, which refuses newer keys."""
    edits = [_without_line(file.document) for file in stack.files]
    for number, file in enumerate(stack.files):
        value = file.document.value
        if "version" not in value:
            continue
        newest = version_of(value) == NEWEST
        words = "version is obsolete" + ("" if newest else " and picks an older schema")
        # All files must have the same version, so an older one goes from all of them or from none.
        edit = edits[number] if newest or all(edits) else None
        yield Hit(("version",), f"{words}: remove the line", edit=edit, file=number)


def _without_line(document: Document) -> Edit | None:
    """Remove the line `version: …` where it stands alone, with the blank line after it."""
    pair = document.root.find("version")
    if pair is None or document.root.flow or len(document.root.pairs) < 2:
        return None
    text, (key, value) = document.text, pair
    start = text.rfind("\n", 0, key.start.offset) + 1
    end = text.find("\n", value.end.offset) + 1 or len(text)
    before, after = text[start : key.start.offset], text[value.end.offset : end].strip()
    if before.strip() or (after and not after.startswith("#")) or "&" in text[start:end]:
        return None
    if start == 0:
        while text[end : end + 1] in ("\n", "\r"):
            end += 1
    return Edit(start, end, "")
