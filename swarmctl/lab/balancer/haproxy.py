"""The HAProxy of a load balancer's machine, and its servers: one for each target.

Targets come and go through the runtime API, which cuts no connection. Only a change of listeners,
rules or target groups loads a new configuration; the old process then finishes its requests.
It runs where nothing of the lab is installed: the standard library alone.
https://docs.haproxy.org/3.0/management.html#9.3
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path("/run/balancer")
SERVERS = "# servers:"  # a line of a configuration that stands for the servers of a backend
START_TIMEOUT = 10  # seconds
ADDED = "New server registered."  # the only answer but none
COMMANDS = 50  # at once: the runtime API reads up to 16 KiB


class HAProxy:
    """The process, and the servers that it has."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self.unexpected = list[str]()  # answers that nobody has reported yet
        self._process: asyncio.subprocess.Process | None = None
        self._shape = ""  # of the last configuration, refused or not
        self._options: dict[str, str] = {}  # for the servers, by backend
        self._ready: dict[str, bool] = {}  # by server: whether it gets requests

    async def apply(self, wanted: Mapping[str, Any], ready: Mapping[str, bool]) -> bool:
        """Follow what is wanted.

        Args:
            wanted: ``config``, its ``files``, and ``groups`` by backend.
            ready: every server (``BACKEND/ID:PORT_ADDRESS``), and whether it gets requests.

        Returns:
            Whether servers that shall go have connections still: try again.

        Raises:
            RuntimeError: HAProxy refused the configuration; it is not tried again.
        """
        options = {key: group["server"] for key, group in wanted["groups"].items()}
        shape = json.dumps([wanted["config"], wanted["files"], options])
        if shape != self._shape:
            self._shape = shape
            await self._load(wanted, ready, options)
        return await self._follow({s: on for s, on in ready.items() if _group(s) in self._options})

    async def ended(self) -> None:
        """Return when the process has ended."""
        while self._process is None:
            await asyncio.sleep(0.1)
        await self._process.wait()

    async def _load(
        self, wanted: Mapping[str, Any], ready: Mapping[str, bool], options: dict[str, str]
    ) -> None:
        for path, text in wanted["files"].items():
            (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
            (FOLDER / path).write_text(text, newline="")
        text = with_servers(wanted["config"], ready, options)
        (FOLDER / "haproxy.cfg").write_text(text)
        await (self._reload() if self._process else self._start())
        self._options, self._ready = options, dict(ready)

    async def _start(self) -> None:
        command = ("haproxy", "-f", str(FOLDER / "haproxy.cfg"))
        check = await asyncio.create_subprocess_exec(
            *command, "-c", stderr=asyncio.subprocess.PIPE, stdout=sys.stderr
        )
        _, why = await check.communicate()
        if check.returncode:
            raise RuntimeError(why.decode(errors="replace"))
        self._process = await asyncio.create_subprocess_exec(
            *command, "-W", "-S", str(FOLDER / "master.sock"),
            stdin=asyncio.subprocess.DEVNULL, stdout=sys.stderr,
        )  # fmt: skip
        await _ask("admin.sock", "show version")

    async def _reload(self) -> None:
        answer = await _ask("master.sock", "reload")
        if not answer.startswith("Success=1"):
            raise RuntimeError(answer)

    async def _follow(self, ready: Mapping[str, bool]) -> bool:
        commands = list[tuple[str, str, bool]]()  # and what is known of a server afterwards
        for server, on in ready.items():
            if server not in self._ready:
                options = self._options[_group(server)]
                command = f"add server {server} {_address(server)} {options}"
                commands.append((command, server, False))
            if self._ready.get(server, False) != on:
                command = f"set server {server} state {'ready' if on else 'maint'}"
                commands.append((command, server, on))
        leaving = self._ready.keys() - ready.keys()
        for server in leaving:
            commands.append((f"set server {server} state maint", server, False))
            commands.append((f"shutdown sessions server {server}", server, False))
        for first in range(0, len(commands), COMMANDS):
            block = commands[first : first + COMMANDS]
            answer = await _ask("admin.sock", "; ".join(command for command, *_ in block))
            self._ready |= {server: on for _, server, on in block}
            lines = {line.strip() for line in answer.splitlines()}
            self.unexpected += sorted(lines - {"", ADDED})
        for server in leaving:
            # Refused while a connection is being closed.
            if "deleted" in await _ask("admin.sock", f"del server {server}"):
                del self._ready[server]
        return bool(self._ready.keys() - ready.keys())


def with_servers(config: str, ready: Mapping[str, bool], options: Mapping[str, str]) -> str:
    """A configuration with its servers, so that a new process has them from its first request."""
    lines = list[str]()
    for line in config.splitlines():
        _, marked, group = line.partition(f"{SERVERS} ")
        if not marked:
            lines.append(line)
            continue
        for server, on in ready.items():
            if _group(server) == group:
                state = "" if on else " disabled"
                name = server.partition("/")[2]
                lines.append(f"  server {name} {_address(server)} {options[group]}{state}")
    return "\n".join(lines) + "\n"


def _group(server: str) -> str:
    return server.partition("/")[0]


def _address(server: str) -> str:
    target, _, address = server.rpartition("_")
    return f"{address}:{target.rpartition(':')[2]}"


async def _ask(socket: str, command: str) -> str:
    # A process that starts, or the master while it runs itself anew, takes no connection yet.
    async with asyncio.timeout(START_TIMEOUT):
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(FOLDER / socket)
                break
            except OSError:
                await asyncio.sleep(0.02)
    writer.write(f"{command}\n".encode())
    answer = await reader.read()
    writer.close()
    return answer.decode(errors="replace")
