"""A manager's key file without its lock is one that swarmkit reads without an unlock key."""

import base64
import os

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from nacl.secret import SecretBox

from swarmctl.autolock.key_file import without_lock
from swarmctl.errors import SwarmctlError

SECRET, DEK = os.urandom(32), os.urandom(32)
KEY = "SWMKEY-1-" + base64.b64encode(SECRET).decode().rstrip("=")
PRIVATE = ec.generate_private_key(ec.SECP256R1())


def record(algorithm: int = 1) -> str:
    """A MaybeEncryptedRecord: algorithm, data, nonce."""
    box = SecretBox(SECRET).encrypt(DEK)
    data = bytes([8, algorithm, 18, len(box.ciphertext)]) + box.ciphertext
    return base64.b64encode(data + bytes([26, len(box.nonce)]) + box.nonce).decode()


def locked(dek: str) -> str:
    pem = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(SECRET))
    first, _, rest = pem.decode().partition("\n")
    return f"{first}\nkek-version: 17\nraft-dek: {dek}\nraft-dek-needs-rotation: true\n\n{rest}"


def test_the_private_key_and_the_raft_logs_key_are_decrypted() -> None:
    opened = without_lock(locked(record()), KEY)
    head, _, body = opened.partition("\n\n")
    plain = base64.b64encode(bytes([18, 32]) + DEK).decode()
    assert head.splitlines() == [
        "-----BEGIN PRIVATE KEY-----",
        "kek-version: 0",
        f"raft-dek: {plain}",
        "raft-dek-needs-rotation: true",
    ]
    found = load_pem_private_key(f"-----BEGIN PRIVATE KEY-----\n{body}".encode(), None)
    assert isinstance(found, ec.EllipticCurvePrivateKey)
    assert found.private_numbers() == PRIVATE.private_numbers()


@pytest.mark.parametrize("dek", [record(algorithm=2), "AAAA", record()[:-8] + "AAAAAAA="])
def test_an_unknown_form_is_refused(dek: str) -> None:
    with pytest.raises(SwarmctlError, match="key file cannot be unlocked"):
        without_lock(locked(dek), KEY)
