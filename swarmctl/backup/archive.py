"""Whether the archive of a backup is whole, can be decrypted, and is what its manifest says."""

from __future__ import annotations

import hashlib
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

from swarmctl.backup.age import Key, decrypted
from swarmctl.backup.manifest import File, Manifest
from swarmctl.backup.store.store import Store
from swarmctl.errors import RefusedError, SwarmctlError

CERTIFICATE = "swarm/certificates/swarm-node.crt"
KEY = "swarm/certificates/swarm-node.key"
_NEEDED = (CERTIFICATE, KEY, "swarm/docker-state.json")
_SMALL = 2**20


class Hashed:
    """Writes to a file, and hashes what is written."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes, /) -> int:
        self._hash.update(data)
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        """Hand everything to the kernel."""
        self._file.flush()

    def finish(self, name: str) -> File:
        """Close the file; it is kept in a store under this name."""
        self._file.close()
        return File(name, self._hash.hexdigest(), self.size)


@contextmanager
def fetched(store: Store, file: File) -> Iterator[Path]:
    """An encrypted file of a backup on this machine, with the recorded checksum.

    Raises:
        RefusedError: it is another: damaged or truncated.
        SwarmctlError: it cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="swarmctl-backup-") as folder:
        path = Path(folder) / "file"
        store.files.download(file.name, path)
        size = path.stat().st_size
        where = f"{store.where}/{file.name}"
        if size != file.size:
            raise RefusedError(
                f"{where} is {'truncated' if size < file.size else 'damaged'}: it has {size} "
                f"bytes, its manifest says {file.size}",
                "use another backup: swarmctl backup list",
            )
        with path.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
        if found != file.sha256:
            raise RefusedError(
                f"{where} is damaged: its SHA-256 is {found}, its manifest says {file.sha256}",
                "use another backup: swarmctl backup list",
            )
        yield path


def check_archive(path: Path, manifest: Manifest, keys: Sequence[Key]) -> str:
    """Read all of a fetched archive, without writing any of it.

    Returns:
        The manager's key file: a private key, encrypted if the Swarm was autolocked.

    Raises:
        DecryptionError: the key is another, or the file is damaged.
        RefusedError: it is not the state of the manifest's manager.
    """
    where = manifest.archive.name
    members: set[str] = set()
    small = dict.fromkeys((CERTIFICATE, KEY), b"")
    try:
        with (
            decrypted(path, keys, where) as plain,
            tarfile.open(fileobj=plain, mode="r|gz") as archive,
        ):
            for member in archive:
                if not (member.isfile() or member.isdir()) or ".." in Path(member.name).parts:
                    raise RefusedError(f"{where} holds {member.name!r}, which no backup has")
                members.add(member.name)
                if member.name in small and (part := archive.extractfile(member)):
                    small[member.name] = part.read(_SMALL)
    except (tarfile.TarError, EOFError, OSError) as fault:
        raise RefusedError(f"{where} is damaged: {fault}", "use another backup") from fault
    missing = [name for name in _NEEDED if name not in members]
    if missing or not any(m.startswith("swarm/raft/") for m in members):
        raise RefusedError(f"{where} is no state of a manager: it lacks {missing or 'swarm/raft'}")
    found = certificate_of(small[CERTIFICATE], where)
    wanted = {"swarm_id": manifest.swarm_id, "node_id": manifest.node.id}
    if found != wanted:
        raise RefusedError(f"{where} is the state of {found}, its manifest says {wanted}")
    return small[KEY].decode(errors="replace")


def certificate_of(pem: bytes, where: str) -> Mapping[str, str]:
    """The Swarm and the node that a node's certificate names (swarmkit ca/certificates.go).

    Raises:
        SwarmctlError: it is no certificate.
    """
    try:
        subject = x509.load_pem_x509_certificate(pem).subject
    except ValueError as fault:
        raise SwarmctlError(f"{where}: the certificate in it cannot be read") from fault

    def one(oid: x509.ObjectIdentifier) -> str:
        return str(next((a.value for a in subject.get_attributes_for_oid(oid)), ""))

    return {"swarm_id": one(NameOID.ORGANIZATION_NAME), "node_id": one(NameOID.COMMON_NAME)}
