"""The desired stack: a compose file translated into the Engine API's objects.

A manager's docker CLI translates it, into requests that are recorded instead of carried out; see
:mod:`swarmctl.stack.deploy.recorder`. Nothing is changed.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.stack.deploy.current import KINDS
from swarmctl.stack.render.output import Rendered
from swarmctl.stack.render.stack_files import OUTPUT
from swarmctl.swarm import shell
from swarmctl.swarm.engine import Json
from swarmctl.swarm.ssh import Endpoint

# Seconds. The CLI needs less than one; on a busy machine, a few.
TIMEOUT = 45.0

# ${NAME} and $NAME in a compose file; $$ is a dollar sign.
_VARIABLE = re.compile(r"\$(?:\$|\{?(?P<name>[A-Za-z_][A-Za-z0-9_]*))")
_CREATE = re.compile(r"^/v[\d.]+/(?P<kind>networks|secrets|configs|services)/create$")
_UPDATE = re.compile(r"^/v[\d.]+/(?P<kind>secrets|configs|services)/[^/]+/update(\?.*)?$")


@dataclass(frozen=True, slots=True)
class DesiredStack:
    """The objects of each kind by name, as requests to create them.

    Attributes:
        networks: only those that do not exist yet.
        secrets: with their content; without external ones.
        configs: with their content; without external ones.
        services: complete specs that refer to networks, secrets and configs by name.
        notes: the CLI's warnings.
    """

    stack: str
    networks: Mapping[str, Json] = field(default_factory=dict)
    secrets: Mapping[str, Json] = field(default_factory=dict)
    configs: Mapping[str, Json] = field(default_factory=dict)
    services: Mapping[str, Json] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def translate(
    manager: Endpoint,
    stack: str,
    rendered: Rendered,
    *,
    pretend: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
) -> DesiredStack:
    """Let a manager's docker CLI translate a compose file.

    Args:
        manager: where the docker CLI runs.
        stack: the name to deploy under.
        rendered: the compose files and the files they name.
        pretend: secrets that are shown to the CLI as existing.
        environment: the values of ``${VARIABLES}``; by default this process's.
        timeout: seconds.

    Raises:
        UsageError: the CLI refuses the file, or a secret, config or network it needs is missing.
        SwarmctlError: the CLI could not be run.
    """
    variables = os.environ if environment is None else environment
    job = {
        "name": stack,
        "compose": [OUTPUT, *rendered.overlays],
        "environment": {n: variables[n] for n in named_variables(rendered) if n in variables},
        "secrets": list(pretend),
        "timeout": max(1.0, timeout - 5),
    }
    python = sys.executable if manager.local else "python3"
    argv = [python, "-c", Path(__file__).with_name("recorder.py").read_text()]
    done = shell.run(manager, argv, _archive(job, rendered), timeout=timeout)
    if done.code != 0:
        raise SwarmctlError(
            f"{manager} could not translate the compose file: "
            + (done.errors.strip().splitlines() or [f"exit code {done.code}"])[-1],
            "the managers need python3 and the docker CLI; playbooks/site.yml installs both",
        )
    return from_recording(stack, json.loads(done.output))


def from_recording(stack: str, answer: Mapping[str, Any]) -> DesiredStack:
    """Sort the recorded requests.

    Raises:
        UsageError: the CLI refused the compose file.
        SwarmctlError: the CLI does not exist, did not end, or sent an unknown request.
    """
    code = answer["code"]
    messages = [line.strip() for line in answer["stderr"].splitlines() if line.strip()]
    if code in (124, 127):
        raise SwarmctlError(f"the docker CLI could not be run on the manager: {' '.join(messages)}")
    if code != 0:
        reason = " ".join(messages) or f"exit code {code}"
        raise UsageError(f"docker refuses the stack {stack}: {reason}", _advice(reason))
    found: dict[str, dict[str, Json]] = {kind: {} for kind in KINDS}
    for request in answer["requests"]:
        match = _CREATE.match(request["path"]) or _UPDATE.match(request["path"])
        if request["method"] != "POST" or match is None:
            raise SwarmctlError(
                f"the docker CLI on the manager sent {request['method']} {request['path']}, "
                "which swarmctl does not know",
                "deploy with `docker stack deploy` on the manager, and report this",
            )
        found[match["kind"]][request["body"]["Name"]] = request["body"]
    return DesiredStack(stack, notes=tuple(messages), **found)


def named_variables(rendered: Rendered) -> list[str]:
    """The variables that the compose files use."""
    found = (m["name"] for text in rendered.compose_texts for m in _VARIABLE.finditer(text))
    return sorted({name for name in found if name})


def _advice(reason: str) -> str:
    if match := re.search(r"(secret|config) not found: (\S+)", reason):
        kind, name = match[1], match[2]
        return f"it is external; create it on a manager: `docker {kind} create {name} FILE`" + (
            f", or let --make-secret {name} give it a random value" if kind == "secret" else ""
        )
    return "nothing was changed; `swarmctl stack lint` explains what is wrong in a compose file"


def _archive(job: Mapping[str, Any], rendered: Rendered) -> bytes:
    files = {"job.json": json.dumps(job).encode(), f"stack/{OUTPUT}": rendered.compose.encode()}
    files |= {f"stack/{name}": text.encode() for name, text in rendered.overlays.items()}
    files |= {f"stack/{name}": content for name, content in rendered.files.items()}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o600
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
