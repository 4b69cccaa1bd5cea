"""SSH servers for the tests of this room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from tests.unit.swarm.ssh_server import Site


@pytest.fixture(scope="session")
def keys() -> list[paramiko.RSAKey]:
    return [paramiko.RSAKey.generate(2048) for _ in range(4)]


@pytest.fixture
def site(tmp_path: Path, keys: list[paramiko.RSAKey]) -> Iterator[Site]:
    user_key, *host_keys = keys
    user_key.write_private_key_file(str(tmp_path / "id"))
    lines = [f"i-{i} ssh-rsa {key.get_base64()}\n" for i, key in enumerate(host_keys)]
    (tmp_path / "known_hosts").write_text("".join(lines))
    made = Site(tmp_path, user_key, host_keys)
    yield made
    for server in made.servers:
        server.die()
