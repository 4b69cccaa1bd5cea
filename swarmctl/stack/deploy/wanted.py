"""What a rendered stack asks of the Swarm: the requests that ``docker stack deploy`` would send.

The docker CLI of a manager works them out; see :mod:`swarmctl.stack.deploy.recorder`. Nothing is
changed.
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
from typing import TYPE_CHECKING, Any

from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.stack.render.render import Rendered
from swarmctl.stack.render.template import OUTPUT
from swarmctl.swarm import shell
from swarmctl.swarm.engine import Json

if TYPE_CHECKING:
    from swarmctl.swarm.ssh import Endpoint

# Seconds. The CLI needs less than one, on a busy machine a few.
TIMEOUT = 45.0

# ${NAME} and $NAME of a compose file; $$ is a dollar.
_VARIABLE = re.compile(r"\$(?:\$|\{?(?P<name>[A-Za-z_][A-Za-z0-9_]*))")
_CREATE = re.compile(r"^/v[\d.]+/(?P<kind>networks|secrets|configs|services)/create$")
_UPDATE = re.compile(r"^/v[\d.]+/(?P<kind>secrets|configs|services)/[^/]+/update(\?.*)?$")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A stack as it is to be: each kind by name, as it would be sent.

    Attributes:
        networks: only those that do not exist yet.
        secrets: with their content; external ones are not among them.
        configs: with their content; external ones are not among them.
        services: complete specs; networks, secrets and configs are named by name.
        notes: what the CLI had to say.
    """

    stack: str
    networks: Mapping[str, Json] = field(default_factory=dict)
    secrets: Mapping[str, Json] = field(default_factory=dict)
    configs: Mapping[str, Json] = field(default_factory=dict)
    services: Mapping[str, Json] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def ask(
    manager: Endpoint,
    stack: str,
    rendered: Rendered,
    *,
    pretend: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
) -> Wanted:
    """Let a manager's docker CLI work out what the stack asks for.

    Args:
        manager: where.
        stack: the name to deploy under.
        rendered: the compose file and what belongs beside it.
        pretend: names of secrets to be taken as if they existed.
        environment: what ``${VARIABLES}`` stand for; this process's by default.
        timeout: seconds.

    Raises:
        UsageError: the CLI refuses the file, or a secret, config or network it needs is missing.
        SwarmctlError: the CLI could not be run.
    """
    variables = os.environ if environment is None else environment
    job = {
        "name": stack,
        "compose": OUTPUT,
        "environment": {n: variables[n] for n in named_variables(rendered) if n in variables},
        "secrets": list(pretend),
        "timeout": max(1.0, timeout - 5),
    }
    python = sys.executable if manager.local else "python3"
    argv = [python, "-c", Path(__file__).with_name("recorder.py").read_text()]
    done = shell.run(manager, argv, _archive(job, rendered), timeout=timeout)
    if done.code != 0:
        raise SwarmctlError(
            f"{manager}: the stack could not be read there: "
            + (done.errors.strip().splitlines() or [f"exit code {done.code}"])[-1],
            "the managers need python3 and the docker CLI; playbooks/site.yml installs both",
        )
    return parse(stack, json.loads(done.output))


def parse(stack: str, answer: Mapping[str, Any]) -> Wanted:
    """Sort what the recorder has written down.

    Raises:
        UsageError: the CLI refused.
        SwarmctlError: there is no CLI, or it did not end.
    """
    code, said = answer["code"], _lines(answer["said"])
    if code in (124, 127):
        raise SwarmctlError(f"the docker CLI could not be run on the manager: {' '.join(said)}")
    if code != 0:
        reason = " ".join(said) or f"exit code {code}"
        raise UsageError(f"docker refuses the stack {stack}: {reason}", _advice(reason))
    found: dict[str, dict[str, Json]] = {k: {} for k in ("networks", "secrets", "configs")}
    services: dict[str, Json] = {}
    for request in answer["requests"]:
        match = _CREATE.match(request["path"]) or _UPDATE.match(request["path"])
        if request["method"] != "POST" or match is None:
            raise SwarmctlError(
                f"the docker CLI on the manager asks for {request['method']} {request['path']}, "
                "which swarmctl does not know",
                "deploy with `docker stack deploy` on the manager, and report this",
            )
        into = services if match["kind"] == "services" else found[match["kind"]]
        into[request["body"]["Name"]] = request["body"]
    return Wanted(stack, services=services, notes=tuple(said), **found)


def named_variables(rendered: Rendered) -> list[str]:
    """The variables a compose file names."""
    return sorted({m["name"] for m in _VARIABLE.finditer(rendered.compose) if m["name"]})


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _advice(reason: str) -> str:
    if match := re.search(r"(secret|config) not found: (\S+)", reason):
        kind, name = match[1], match[2]
        return f"it is external: make it on a manager, `docker {kind} create {name} FILE`" + (
            f", or let --make-secret {name} give it a random value" if kind == "secret" else ""
        )
    return "nothing was changed; `swarmctl stack lint` says more about a compose file"


def _archive(job: Mapping[str, Any], rendered: Rendered) -> bytes:
    files = {"job.json": json.dumps(job).encode(), f"stack/{OUTPUT}": rendered.compose.encode()}
    files |= {f"stack/{name}": content for name, content in rendered.files.items()}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o600
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
