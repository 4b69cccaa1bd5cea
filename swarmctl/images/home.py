"""Where a cluster's images are: the registry, and the names of the repositories in it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from swarmctl.cloud.ecr import Ecr
from swarmctl.errors import UsageError
from swarmctl.registry.api import Registry
from swarmctl.registry.credentials import Credentials, Keyring
from swarmctl.registry.reference import DOCKER_HUB, Reference, parse

ECR = "ecr"
VARIABLE = "SWARMCTL_REGISTRY"
#: In place of a stack's name: copies of other people's images.
MIRROR = "mirror"
# https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html
_COMPONENT = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Home:
    """A registry, and the place of one cluster's images in it.

    Attributes:
        host: of the registry.
        prefix: of the repositories' names: ``team/swarm_app``.
        ecr: its API, if it is an ECR.
        keyring: has the registry's credentials.
        cluster: in the tags of its repositories in an ECR.
    """

    host: str
    prefix: str
    ecr: Ecr | None = None
    keyring: Keyring = field(default_factory=Keyring)
    cluster: str = ""

    def repository(self, stack: str, image: str) -> str:
        """The repository of a stack's image."""
        return "/".join([self.prefix, *(_component(part) for part in (stack, *image.split("/")))])

    def image(self, stack: str, image: str, tag: str, digest: str = "") -> Reference:
        """The full name of a stack's image."""
        repository = self.repository(stack, image)
        return Reference(f"{self.host}/{repository}", self.host, repository, tag, digest)

    def copy_of(self, image: Reference) -> Reference:
        """The name of this registry's copy of an image."""
        hub = image.host == DOCKER_HUB
        path = image.repository if hub else f"{image.host}/{image.repository}"
        # Not by its digest: that of many platforms is not that of the copy, which has one.
        tag = image.digest.partition(":")[2][:12] or image.tag or "latest"
        return self.image(MIRROR, path, tag)

    def credentials(self) -> Credentials | None:
        """A login to it; a token of ECR is renewed before it ends.

        Raises:
            EcrError, UsageError: see :meth:`swarmctl.registry.credentials.Keyring.find`.
        """
        return self.keyring.find(self.host)

    def api(self) -> Registry:
        """Its API."""
        return Registry(self.host, self.credentials())


def find_home(
    setting: str, cluster: str, ecr: Callable[[], Ecr] = Ecr, keyring: Keyring | None = None
) -> Home:
    """The home of a cluster's images.

    Args:
        setting: ``ecr``, or a registry's name with a path: ``registry.example:5000/team``.
        cluster: its name.
        ecr: makes the API; replaced in tests.
        keyring: has the credentials.

    Raises:
        UsageError: no registry or no cluster is named, or this is no registry's name.
        EcrError: ECR gives no token.
    """
    if not setting:
        raise UsageError(
            "no registry is set, so there is no place for the stack's images",
            f"registry: ecr in inventory/group_vars/all.yml, --registry ecr, or export {VARIABLE}="
            "ecr; in place of ecr, the name of another registry: registry.example:5000/team",
        )
    if not cluster:
        raise UsageError(
            "no cluster is named, and the images' repositories begin with its name",
            "--cluster NAME, or export SWARMCTL_CLUSTER=NAME",
        )
    keyring = keyring or Keyring()
    if setting == ECR:
        api = ecr()
        return Home(api.token().host, _component(cluster), api, keyring, cluster)
    found = parse(f"{setting.strip('/')}/image")
    if found is None or found.host not in setting or found.tag:
        raise UsageError(
            f"{setting!r} is no registry",
            "write ecr, or a host with its port and a path: registry.example:5000/team",
        )
    path = found.repository.removesuffix("image").rstrip("/")
    return Home(found.host, "/".join(filter(None, [path, _component(cluster)])), None, keyring)


def _component(name: str) -> str:
    """A part of a repository's name."""
    if _COMPONENT.fullmatch(name):
        return name
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
