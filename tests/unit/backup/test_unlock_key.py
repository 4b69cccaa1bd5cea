"""An autolocked state without its key is refused before anything is touched."""

import base64
import os

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from swarmctl.backup.unlock_key import unlocked
from swarmctl.errors import RefusedError, SwarmctlError


def new_key() -> tuple[str, bytes]:
    """An unlock key, and the password that it stands for."""
    password = os.urandom(32)
    return "SWMKEY-1-" + base64.b64encode(password).decode().rstrip("="), password


def key_file(password: bytes | None = None) -> str:
    """A manager's private key, as swarmkit keeps it."""
    scheme: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        scheme = serialization.BestAvailableEncryption(password)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, scheme)
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(*form).decode()


def test_the_key_that_opens_the_state_is_found_among_those_of_a_rotation() -> None:
    (now, _), (then, password) = new_key(), new_key()
    assert "BEGIN PRIVATE KEY" in unlocked(key_file(password), lambda: (now, then), "SSM")


def test_a_state_that_is_not_locked_needs_no_store() -> None:
    def unreachable() -> tuple[str, ...]:
        raise SwarmctlError("no credentials")

    assert unlocked(key_file(), unreachable, "SSM") == ""
    with pytest.raises(RefusedError, match="SSM cannot be read: no credentials") as refused:
        unlocked(key_file(b"x"), unreachable, "SSM")
    assert "--unlock-key-file" in refused.value.hint


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ((new_key()[0],), "none of the 1 keys in the file opens it"),
        (("rubbish",), "none of the 1 keys in the file opens it"),
        ((), "the file has none"),
    ],
)
def test_other_keys_are_refused(keys: tuple[str, ...], words: str) -> None:
    with pytest.raises(RefusedError, match=words):
        unlocked(key_file(new_key()[1]), lambda: keys, "the file")
