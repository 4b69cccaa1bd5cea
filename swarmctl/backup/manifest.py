"""What is recorded of a backup beside it, as ``NAME.manifest.json``: nothing secret. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from swarmctl.errors import SwarmctlError

VERSION = 1
ARCHIVE, MANIFEST, PROOF = ".tar.gz.age", ".manifest.json", ".proof.json"


@dataclass(frozen=True, slots=True)
class Object:
    """One object of a Swarm.

    Attributes:
        kind: ``swarm``, ``service``, ``secret``, ``config``, ``network`` or ``node``.
        id: the Engine's.
        name: the Engine's.
        digest: SHA-256 of its specification.
    """

    kind: str
    id: str
    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class TakenFrom:
    """The manager whose state it is.

    Attributes:
        name: its hostname.
        id: its node id.
        address: the private address, which a restored manager must have again.
        data_path_port: the Swarm's port for VXLAN.
    """

    name: str
    id: str
    address: str
    data_path_port: int


@dataclass(frozen=True, slots=True)
class File:
    """An encrypted file of a backup.

    Attributes:
        name: in the store.
        sha256: of the encrypted bytes.
        size: bytes.
    """

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class DataCopy:
    """The data of a service.

    Attributes:
        name: as in the settings.
        service: whose it is.
        volume: the volume that was copied; ``""``: the output of a command was.
        node: where it was.
        file: where it is.
    """

    name: str
    service: str
    volume: str
    node: str
    file: File


@dataclass(frozen=True, slots=True)
class Manifest:
    """A backup.

    Attributes:
        name: ``<cluster>-<UTC time>``.
        cluster: the cluster's name.
        swarm_id: the Swarm's id.
        taken_at: RFC 3339.
        engine: the version of the Engine that wrote the state.
        node: the manager whose state it is.
        archive: the state.
        autolock: whether the state is useless without the Swarm's unlock key.
        objects: what was in the Swarm.
        changed: ids of what changed while the state was copied.
        recipients: the public keys for which it was encrypted.
        engine_down_s: seconds for which the Engine of the node did not answer.
        data: data of services.
        version: of this form.
    """

    name: str
    cluster: str
    swarm_id: str
    taken_at: str
    engine: str
    node: TakenFrom
    archive: File
    autolock: bool
    objects: tuple[Object, ...]
    recipients: tuple[str, ...]
    engine_down_s: float
    changed: tuple[str, ...] = ()
    data: tuple[DataCopy, ...] = ()
    version: int = VERSION

    @property
    def files(self) -> tuple[File, ...]:
        """All encrypted files."""
        return (self.archive, *(copy.file for copy in self.data))


@dataclass(frozen=True, slots=True)
class Proof:
    """How a restore of a backup in the lab ended.

    Attributes:
        backup: its name.
        at: RFC 3339.
        engine: the version of the Engine it was restored on.
        seconds: from the empty machine to the compared Swarm.
        objects: how many were the same.
        secrets_read: how many secrets a container could read.
        differences: in words; empty: the backup is proven.
    """

    backup: str
    at: str
    engine: str
    seconds: float
    objects: int
    secrets_read: int
    differences: tuple[str, ...] = ()

    @property
    def proven(self) -> bool:
        """Whether everything came back."""
        return not self.differences


def encoded(data: Manifest | Proof) -> bytes:
    """As JSON."""
    return msgspec.json.format(msgspec.json.encode(data)) + b"\n"


def manifest_of(text: bytes, where: str) -> Manifest:
    """A manifest from JSON.

    Raises:
        SwarmctlError: it is damaged, or of a later version of swarmctl.
    """
    try:
        version = msgspec.json.decode(text, type=dict[str, msgspec.Raw]).get("version")
        if version is not None and bytes(version) != str(VERSION).encode():
            raise SwarmctlError(
                f"{where}: form {bytes(version).decode(errors='replace')} is unknown",
                "it was written by another version of swarmctl: use that one",
            )
        return msgspec.json.decode(text, type=Manifest)
    except msgspec.DecodeError as fault:
        raise SwarmctlError(f"{where}: the manifest is damaged: {fault}", "use another") from fault


def proof_of(text: bytes, where: str) -> Proof:
    """A proof from JSON.

    Raises:
        SwarmctlError: it is damaged.
    """
    try:
        return msgspec.json.decode(text, type=Proof)
    except msgspec.DecodeError as fault:
        raise SwarmctlError(f"{where}: the proof is damaged: {fault}", "prove it anew") from fault
