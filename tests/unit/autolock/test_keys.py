from __future__ import annotations

import base64
import os
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from swarmctl.autolock.keys import keep, opens, wait_for_managers
from swarmctl.errors import DeadlineExceededError
from tests.unit.autolock.swarm_fake import FakeStore


def key_and_file() -> tuple[str, str]:
    """An unlock key as the Engine writes it, and a key file that it opens."""
    secret = os.urandom(32)
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(secret)
    )
    return "SWMKEY-1-" + base64.b64encode(secret).decode().rstrip("="), pem.decode()


def plain_file() -> str:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    return pem.decode()


class Files:
    """The managers' key files, and how often they were read."""

    def __init__(self, **files: list[str]) -> None:
        self._files = files

    def run(self, node: str, script: str, timeout_s: float = 20.0) -> str:
        del script, timeout_s
        texts = self._files[node]
        return texts.pop(0) if len(texts) > 1 else texts[0]


def test_only_its_own_key_opens_a_managers_file() -> None:
    key, pem = key_and_file()
    other, _ = key_and_file()
    assert opens(pem, key)
    assert not opens(pem, other)
    assert not opens(pem, "nonsense")
    assert not opens(plain_file(), key)


def test_all_managers_are_waited_for() -> None:
    key, new = key_and_file()
    _, old = key_and_file()
    shell: Any = Files(mgr1=[new], mgr2=[old, old, new])
    wait_for_managers(shell, ["mgr1", "mgr2"], key, 5, interval=0)


def test_a_manager_with_the_former_key_is_named() -> None:
    key, new = key_and_file()
    _, old = key_and_file()
    shell: Any = Files(mgr1=[new], mgr2=[old])
    with pytest.raises(DeadlineExceededError, match="mgr2 still has another key"):
        wait_for_managers(shell, ["mgr1", "mgr2"], key, 0, interval=0)


def test_without_a_key_the_files_must_be_plain() -> None:
    _, encrypted = key_and_file()
    shell: Any = Files(mgr1=[encrypted, plain_file()])
    wait_for_managers(shell, ["mgr1"], "", 5, interval=0)


def test_the_newest_key_comes_first_and_only_once() -> None:
    store = FakeStore(("a",))
    assert keep(store, "b", "a", "b")
    assert store.keys == ("b", "a")
    assert not keep(store, "b", "a")
