"""Backups made by hand."""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from swarmctl.backup import age
from swarmctl.backup.archive import CERTIFICATE
from swarmctl.backup.manifest import File, Manifest, Object, TakenFrom

NAME = "swarm_app-20260131T120000Z"
SWARM, NODE = "1sq54wedfj14dyjfad506t24n", "r6gt0izdcdorbe8e7w7f7uta2"
OBJECTS = (
    Object("secret", "s1", "password", "aa"),
    Object("service", "v1", "web", "bb"),
)


def manifest(archive: bytes = b"") -> Manifest:
    """A manifest of an archive with these (encrypted) bytes."""
    file = File(f"{NAME}.tar.gz.age", hashlib.sha256(archive).hexdigest(), len(archive))
    return Manifest(
        name=NAME,
        cluster="swarm_app",
        swarm_id=SWARM,
        taken_at="2026-01-31T12:00:00+00:00",
        engine="26.1.5+dfsg1",
        node=TakenFrom("swarm_app_mgr2", NODE, "10.42.1.4", 4789),
        archive=file,
        autolock=False,
        objects=OBJECTS,
        recipients=("age1x",),
        engine_down_s=2.3,
    )


def certificate(swarm: str = SWARM, node: str = NODE) -> bytes:
    """A node's certificate, as swarmkit issues it."""
    key = ec.generate_private_key(ec.SECP256R1())
    oids = (NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.COMMON_NAME)
    names = [
        x509.NameAttribute(oid, value)
        for oid, value in zip(oids, (swarm, "swarm-manager", node), strict=True)
    ]
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name(names))
        .issuer_name(x509.Name(names))
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=90))
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )


def state(**files: bytes | None) -> bytes:
    """A manager's state as an archive; keywords replace files (``key``, ``certificate`` …)."""
    content = {
        CERTIFICATE: files.get("certificate", certificate()),
        "swarm/certificates/swarm-node.key": files.get("key", b"k"),
        "swarm/docker-state.json": b"{}",
        "swarm/raft/wal-v3-encrypted/0.wal": files.get("raft", bytes(200_000)),
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in content.items():
            if data is not None:
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def encrypted(plain: bytes, public: str) -> bytes:
    """The same for the holder of a key."""
    target = io.BytesIO()
    age.encrypt(io.BytesIO(plain), target, age.recipients([public]))
    return target.getvalue()


def stored(folder: Path, data: bytes) -> Manifest:
    """Keep a backup with these (encrypted) bytes in a directory."""
    from swarmctl.backup.store.store import open_store

    kept = replace(manifest(data))
    (folder / kept.archive.name).write_bytes(data)
    open_store(str(folder)).keep(kept)
    return kept
