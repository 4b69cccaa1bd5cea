"""Where backups are kept: a directory, or a prefix in S3."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from swarmctl.backup.manifest import (
    MANIFEST,
    PROOF,
    Manifest,
    Proof,
    encoded,
    manifest_of,
    proof_of,
)
from swarmctl.backup.store.retention import cluster_of, taken_at
from swarmctl.backup.store.s3 import S3
from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.reading.files import PRIVATE, write_whole
from swarmctl.reading.names import unknown


class Files(Protocol):
    """Named files; errors are ``SwarmctlError``."""

    def names(self) -> list[str]: ...
    def read(self, name: str) -> bytes | None: ...
    def download(self, name: str, path: Path) -> None: ...
    def upload(self, path: Path, name: str) -> None: ...
    def write(self, name: str, data: bytes) -> None: ...
    def delete(self, name: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Directory:
    """Files in a directory of this machine."""

    path: Path

    def names(self) -> list[str]:
        """The names of all files; none if there is no such directory."""
        try:
            return [p.name for p in self.path.iterdir() if p.is_file()]
        except FileNotFoundError:
            return []
        except OSError as fault:
            raise SwarmctlError(f"cannot read {self.path}: {fault.strerror}") from fault

    def read(self, name: str) -> bytes | None:
        """A small file; ``None``: there is none."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as fault:
            raise SwarmctlError(f"cannot read {self.path / name}: {fault.strerror}") from fault

    def download(self, name: str, path: Path) -> None:
        """Copy a file out."""
        try:
            shutil.copyfile(self.path / name, path)
        except OSError as fault:
            raise SwarmctlError(f"cannot read {self.path / name}: {fault.strerror}") from fault

    def upload(self, path: Path, name: str) -> None:
        """Copy a file in; it is on the disk, and appears when it is whole."""
        partial = self.path / f"{name}.partial"  # a backup that is given up takes it along
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            with path.open("rb") as source, partial.open("wb") as target:
                partial.chmod(PRIVATE)
                shutil.copyfileobj(source, target)
                target.flush()
                os.fsync(target.fileno())
            partial.replace(self.path / name)
        except OSError as fault:
            raise SwarmctlError(f"cannot write {self.path / name}: {fault.strerror}") from fault

    def write(self, name: str, data: bytes) -> None:
        """Write a small file whole."""
        try:
            write_whole(self.path / name, data, PRIVATE)
        except OSError as fault:
            raise SwarmctlError(f"cannot write {self.path / name}: {fault.strerror}") from fault

    def delete(self, name: str) -> None:
        """Remove a file."""
        try:
            (self.path / name).unlink(missing_ok=True)
        except OSError as fault:
            raise SwarmctlError(f"cannot remove {self.path / name}: {fault.strerror}") from fault


@dataclass(frozen=True, slots=True)
class Store:
    """Backups in a directory or in S3.

    Attributes:
        where: as the user named it.
        files: its files.
    """

    where: str
    files: Files

    def backups(self, cluster: str) -> list[str]:
        """The names of a cluster's complete backups, oldest first."""
        found = (n.removesuffix(MANIFEST) for n in self.files.names() if n.endswith(MANIFEST))
        return sorted(name for name in found if cluster_of(name) == cluster)

    def empty(self, cluster: str) -> str:
        """What to say when there is no backup of this cluster."""
        if isinstance(self.files, Directory) and not self.files.path.is_dir():
            return f"there is no directory {self.where}, and so no backup of {cluster}"
        return f"{self.where} has no backup of {cluster}"

    def find(self, cluster: str, name: str) -> Manifest:
        """The manifest of a backup.

        Args:
            cluster: whose; for ``latest`` and for messages.
            name: of the backup, or ``latest``.

        Raises:
            SwarmctlError: there is none, or it is damaged.
        """
        if name == "latest":
            known = self.backups(cluster)
            if not known:
                raise SwarmctlError(
                    self.empty(cluster), "take one: ansible-playbook playbooks/backup.yml"
                )
            name = known[-1]
        if not cluster_of(name):
            raise unknown("backup", name, self.backups(cluster))
        text = self.files.read(name + MANIFEST)
        if text is None:
            raise unknown("backup", name, self.backups(cluster))
        manifest = manifest_of(text, f"{self.where}/{name}{MANIFEST}")
        if manifest.name != name:
            raise SwarmctlError(f"{self.where}/{name}{MANIFEST} is the manifest of {manifest.name}")
        return manifest

    def proof(self, name: str) -> Proof | None:
        """How the last restore of a backup in the lab ended; ``None``: it was never tried."""
        text = self.files.read(name + PROOF)
        return proof_of(text, f"{self.where}/{name}{PROOF}") if text else None

    def keep(self, data: Manifest | Proof) -> None:
        """Write a manifest or a proof."""
        if isinstance(data, Manifest):
            self.files.write(data.name + MANIFEST, encoded(data))
        else:
            self.files.write(data.backup + PROOF, encoded(data))

    def halves(self, cluster: str, before: datetime) -> list[str]:
        """The names of a cluster's backups that were never finished: a run was killed.

        Args:
            cluster: whose.
            before: later ones may be under way.
        """
        names = {name.partition(".")[0] for name in self.files.names()} - {*self.backups(cluster)}
        return sorted(
            n for n in names if cluster_of(n) == cluster and (at := taken_at(n)) and at < before
        )

    def remove(self, name: str) -> None:
        """Remove a backup: the manifest first, so that what is left of it is no backup."""
        own = [n for n in self.files.names() if n.startswith(f"{name}.")]
        for file in sorted(own, key=lambda n: n != name + MANIFEST):
            self.files.delete(file)


def open_store(where: str) -> Store:
    """The store that a setting names.

    Args:
        where: a directory, or ``s3://bucket/prefix``.

    Raises:
        UsageError: it is neither.
        CloudError: no credentials for AWS are configured.
    """
    if not where:
        raise UsageError(
            "no place for backups is set",
            "set backup_to (--to): a directory, or s3://BUCKET/PREFIX",
        )
    if where.startswith("s3://"):
        found = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{2,62})(?:/(.*))?", where)
        if not found:
            raise UsageError(f"cannot read {where!r}", "write s3://BUCKET/PREFIX")
        prefix = (found[2] or "").strip("/")
        return Store(where.rstrip("/"), S3(found[1], f"{prefix}/" if prefix else ""))
    if "://" in where or where.startswith("s3:"):
        raise UsageError(f"cannot read {where!r}", "write a directory, or s3://BUCKET/PREFIX")
    return Store(where, Directory(Path(where).expanduser()))
