"""SSH servers in this process, on loopback, and a state folder that knows their host keys."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from swarmctl.swarm.ssh import Endpoint


@dataclass
class SshServer(paramiko.ServerInterface):
    """Runs no program: ``answer`` plays it. The user is ``admin``."""

    key: paramiko.RSAKey
    user_key: paramiko.RSAKey
    transports: list[paramiko.Transport] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                wire, _ = self.listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(wire)
            transport.add_server_key(self.key)
            self.transports.append(transport)
            transport.start_server(event=threading.Event(), server=self)

    def die(self) -> None:
        with suppress(OSError):  # it may be dead already
            # not only closed: that would not end the accept() that another thread is in
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for transport in self.transports:
            transport.close()

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        known = username == "admin" and key == self.user_key
        return AUTH_SUCCESSFUL if known else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=self._serve, args=(channel, command.decode()), daemon=True).start()
        return True

    def _serve(self, channel: paramiko.Channel, command: str) -> None:
        # A client writes only after the reply to its request: an answer, or the end, must not
        # overtake that reply, which another thread sends.
        while not (channel.recv_ready() or channel.eof_received or channel.closed):
            time.sleep(0.001)
        with suppress(OSError, EOFError):  # the client may hang up at any time
            self.answer(channel, command)

    def answer(self, channel: paramiko.Channel, command: str) -> None:
        raise NotImplementedError


S = TypeVar("S", bound=SshServer)


@dataclass
class Site:
    """Servers, and a state folder that knows their host keys."""

    folder: Path
    user_key: paramiko.RSAKey
    keys: list[paramiko.RSAKey]
    servers: list[SshServer] = field(default_factory=list)

    def add(self, kind: type[S]) -> tuple[S, Endpoint]:
        number = len(self.servers)
        made = kind(self.keys[number], self.user_key)
        self.servers.append(made)
        endpoint = Endpoint(
            address="127.0.0.1",
            user="admin",
            port=made.port,
            host_key_alias=f"i-{number}",
            key_file=self.folder / "id",
            known_hosts=(self.folder / "known_hosts",),
            name=f"mgr{number}",
        )
        return made, endpoint
