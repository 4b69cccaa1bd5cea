"""Where the unlock key is kept outside the Swarm: SSM Parameter Store, or a file of Ansible Vault.

A store holds several keys, one a line, the newest first: during a rotation a manager may still need
the former one (moby#36326).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Protocol

import botocore.config

from swarmctl.cloud.instances import CLUSTER_TAG
from swarmctl.cloud.session import aws_client, aws_session
from swarmctl.cloud.words import CloudError, errors_in_words
from swarmctl.errors import SwarmctlError, UsageError, require_extra
from swarmctl.reading.files import PRIVATE, write_whole
from swarmctl.state import cluster_dir, outside_aws

API = "SSM Parameter Store"
PASSWORD_FILE = "ANSIBLE_VAULT_PASSWORD_FILE"  # noqa: S105 - a variable's name

Kind = Literal["ssm", "file"]

_CONFIG = botocore.config.Config(
    retries={"mode": "standard", "max_attempts": 5}, connect_timeout=5, read_timeout=20
)


class Store(Protocol):
    """Keeps the keys. Every method raises ``SwarmctlError`` if the store cannot be used."""

    @property
    def where(self) -> str:
        """For messages."""

    def read(self) -> tuple[str, ...]:
        """The keys, the newest first; none if nothing is stored."""

    def exists(self) -> bool:
        """Whether anything is stored; the keys are not decrypted."""

    def write(self, keys: Sequence[str]) -> None:
        """Replace all that is stored."""

    def remove(self) -> bool:
        """Remove all that is stored; whether there was anything."""


def store_of(cluster: str, kind: Kind | None = None) -> Store:
    """A cluster's store.

    Args:
        cluster: its name.
        kind: ``None``: the file if there is one, or the machines are not EC2's; else SSM.

    Raises:
        UsageError: there is a file, and SSM was asked for.
    """
    file, parameter = _stores(cluster)
    if kind == "ssm" and file.exists():
        raise UsageError(
            f"the unlock key of {cluster} is stored in {file.where}, not in SSM",
            "to move it: swarmctl autolock off, then swarmctl autolock on --store ssm",
        )
    filed = kind is None and (file.exists() or outside_aws(cluster))
    return file if kind == "file" or filed else parameter


def forget(cluster: str, *, dry_run: bool) -> list[str]:
    """Remove a cluster's key from every store; what was, or would be, removed.

    What is not there is not removed: that needs rights which the user may not have.
    """
    there = [store for store in _stores(cluster) if store.exists()]
    for store in there if not dry_run else ():
        store.remove()
    return [f"unlock key: removed from {store.where}" for store in there]


def _stores(cluster: str) -> tuple[VaultFile, ParameterStore]:
    file = cluster_dir(cluster) / "unlock_key.vault"
    return VaultFile(file), ParameterStore(f"/swarmctl/{cluster}/unlock-key", cluster)


class ParameterStore:
    """A SecureString of SSM, encrypted with the account's key ``alias/aws/ssm``.

    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html

    Args:
        name: of the parameter.
        cluster: value of its tag.
        client: boto3's; ``None`` for the environment's.
    """

    def __init__(self, name: str, cluster: str, client: Any = None) -> None:
        self._name = name
        self._cluster = cluster
        self._given = client

    @property
    def where(self) -> str:
        """See :class:`Store`."""
        return f"the SSM parameter {self._name}"

    @property
    def _api(self) -> Any:
        self._given = self._given or aws_client(aws_session(), "ssm", _CONFIG)
        return self._given

    def read(self) -> tuple[str, ...]:
        """See :class:`Store`."""
        return tuple(self._value(decrypt=True).split())

    def exists(self) -> bool:
        """See :class:`Store`."""
        return bool(self._value(decrypt=False))

    def _value(self, *, decrypt: bool) -> str:
        try:
            with errors_in_words(API):
                answer = self._api.get_parameter(Name=self._name, WithDecryption=decrypt)
        except CloudError as fault:
            if fault.code == "ParameterNotFound":
                return ""
            raise
        return str(answer["Parameter"]["Value"])

    def write(self, keys: Sequence[str]) -> None:
        """See :class:`Store`."""
        # Tags can only be given to a new parameter, and only an old one can be overwritten.
        tags = [{"Key": CLUSTER_TAG, "Value": self._cluster}]
        new: dict[str, Any] = {"Overwrite": True} if self.exists() else {"Tags": tags}
        with errors_in_words(API):
            self._api.put_parameter(
                Name=self._name,
                Description="Unlock key of the Swarm's managers, the newest first",
                Value="\n".join(keys),
                Type="SecureString",
                **new,
            )

    def remove(self) -> bool:
        """See :class:`Store`."""
        try:
            with errors_in_words(API):
                self._api.delete_parameter(Name=self._name)
        except CloudError as fault:
            if fault.code == "ParameterNotFound":
                return False
            raise
        return True


class VaultFile:
    """A file for ``ansible-vault``, with the password of ``$ANSIBLE_VAULT_PASSWORD_FILE``.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def where(self) -> str:
        """See :class:`Store`."""
        return str(self._path)

    def read(self) -> tuple[str, ...]:
        """See :class:`Store`."""
        vault = self._vault()  # also for a file that does not exist: it will be written
        if not self._path.exists():
            return ()
        from ansible.errors import AnsibleError

        try:
            return tuple(vault.decrypt(self._path.read_bytes()).decode().split())
        except (OSError, AnsibleError) as fault:
            raise SwarmctlError(
                f"cannot read the unlock key in {self._path}: {_first_line(fault)}",
                f"it is encrypted with Ansible Vault: check the password in ${PASSWORD_FILE}",
            ) from fault

    def exists(self) -> bool:
        """See :class:`Store`."""
        return self._path.exists()

    def write(self, keys: Sequence[str]) -> None:
        """See :class:`Store`."""
        content = self._vault().encrypt("".join(f"{key}\n" for key in keys))
        try:
            write_whole(self._path, content, PRIVATE)
        except OSError as fault:
            raise SwarmctlError(f"cannot write {self._path}: {fault.strerror}") from fault

    def remove(self) -> bool:
        """See :class:`Store`."""
        with suppress(FileNotFoundError):
            self._path.unlink()
            return True
        return False

    def _vault(self) -> Any:
        require_extra("ansible", "a vaulted unlock key", "ansible")
        password = os.environ.get(PASSWORD_FILE)
        if not password:
            raise UsageError(
                f"{self._path} is encrypted, and no password is given",
                f"export {PASSWORD_FILE}=FILE, as for ansible-playbook",
            )
        from ansible.errors import AnsibleError
        from ansible.parsing.dataloader import DataLoader
        from ansible.parsing.vault import VaultLib, get_file_vault_secret

        try:
            secret = get_file_vault_secret(filename=password, loader=DataLoader())
            secret.load()
        except AnsibleError as fault:
            raise UsageError(f"cannot use ${PASSWORD_FILE}: {_first_line(fault)}") from fault
        return VaultLib([("default", secret)])


def _first_line(fault: Exception) -> str:
    return str(fault).strip().partition("\n")[0] or type(fault).__name__
