"""The recipes of the lab's images, and the images' tags. Pure, apart from reading the recipes.

A recipe is a folder below ``lab/images/``: a Dockerfile and its files. A script ``prepare`` among
them adds files that packages of PyPI have, with the hashes in the recipe. A tag is the hash of the
image's files and its parent's tag, so an image is rebuilt only when one of these has changed.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

RECIPES = Path(__file__).parents[1] / "images"
BASE_IMAGE_VARIABLE = "SWARMCTL_LAB_BASE_IMAGE"
#: Every image of the lab carries this label; its value is the image's name.
LABEL = "swarmctl.lab.image"
REPOSITORY = "swarmctl-lab"
#: The names under which the lab's registry serves the application images.
SERVED = {
    "httpd": "library/httpd:2.4",
    "nodejs": "library/node:20",
    "postgres": "library/postgres:17",
}

MMDEBSTRAP = (
    "mmdebstrap",
    "--variant=minbase",
    # Not needed on a machine that nobody logs in to; a quarter of its size.
    "--dpkgopt=path-exclude=/usr/share/man/*",
    "--dpkgopt=path-exclude=/usr/share/locale/*",
    "--dpkgopt=path-exclude=/usr/share/info/*",
    "--dpkgopt=path-exclude=/usr/share/doc/*",
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    "--dpkgopt=path-exclude=/usr/lib/x86_64-linux-gnu/gconv/*",
    "--dpkgopt=path-exclude=/usr/share/bash-completion/*",
    "--customize-hook=rm -f $1/var/cache/debconf/*-old",
    '--aptopt=Acquire::Languages "none"',
    '--aptopt=APT::Install-Recommends "false"',
    "trixie",
    "-",
    "deb http://deb.debian.org/debian trixie main",
    "deb http://deb.debian.org/debian trixie-updates main",
    "deb http://deb.debian.org/debian-security trixie-security main",
)


@dataclass(frozen=True)
class ImageTags:
    """The reference of every image of the lab, by name."""

    base: str
    node_bare: str
    node: str
    node_older: str
    load_balancer: str
    httpd: str
    nodejs: str
    postgres: str
    registry_server: str
    registry: str


def image_tags(recipes: Path = RECIPES, base_image: str | None = None) -> ImageTags:
    """Compute the tag of every image; ``base_image`` is pulled instead of building the base."""
    base = base_image or image_tag("base", *MMDEBSTRAP)

    def built(name: str, parent: str) -> str:
        return image_tag(name, parent, _content_hash(recipes / name))

    node_bare = built("node_bare", base)
    apps = {name: built(name, base) for name in SERVED}
    registry_server = built("registry", base)
    served = [f"{SERVED[name]} {reference}" for name, reference in apps.items()]
    return ImageTags(
        base=base,
        node_bare=node_bare,
        node=built("node", node_bare),
        node_older=built("node_older", node_bare),
        load_balancer=built("load_balancer", base),
        registry_server=registry_server,
        registry=image_tag("mirror", registry_server, *served),
        **apps,
    )


def build_context(*folders: Path) -> bytes:
    """The build context as a tar file; its bytes depend only on the files' names and contents."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in folders:
            for path in _files(folder):
                content = path.read_bytes()
                entry = tarfile.TarInfo(str(path.relative_to(folder)))
                entry.size = len(content)
                entry.mode = 0o755 if content.startswith(b"#!") else 0o644
                archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def _files(recipe: Path) -> Sequence[Path]:
    return sorted(path for path in recipe.rglob("*") if path.is_file())


def _content_hash(recipe: Path) -> str:
    return hashlib.sha256(build_context(recipe)).hexdigest()


def image_tag(name: str, *ingredients: str) -> str:
    digest = hashlib.sha256("\0".join(ingredients).encode()).hexdigest()[:12]
    return f"{REPOSITORY}/{name.replace('_', '-')}:{digest}"
