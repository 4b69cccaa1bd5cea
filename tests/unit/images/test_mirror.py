"""Copies of other people's images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from swarmctl.errors import SwarmctlError
from swarmctl.images import mirror
from swarmctl.images.home import Home
from swarmctl.registry.credentials import Keyring
from swarmctl.registry.reference import Reference, parse

HOME = Home("reg.example:5000", "team")


def image(name: str) -> Reference:
    found = parse(name)
    assert found
    return found


def test_images_of_two_registries_with_one_name_have_two_copies() -> None:
    copies = {
        name: HOME.copy_of(image(name)).repository
        for name in ("acme/api:1", "quay.io/acme/api:1", "reg.example:443/acme/api:1")
    }
    assert list(copies.values()) == [
        "team/mirror/acme/api",
        "team/mirror/quay.io/acme/api",
        "team/mirror/reg-example-443/acme/api",
    ]


def test_an_image_of_many_platforms_is_found_again_though_its_copy_has_another_digest() -> None:
    copy = HOME.copy_of(image("httpd:2.4@sha256:" + "0a" * 32))
    assert (copy.tag, copy.digest) == ("0a0a0a0a0a0a", "")


class BrokenPull:
    """An Engine that has an image already, and whose pull of it breaks off."""

    def __init__(self) -> None:
        self.api = self.images = self

    def pull(self, *_: str, stream: bool = False, **__: Any) -> Iterator[dict[str, str]]:
        yield {"status": "Pulling from library/httpd"}
        yield {"error": "no matching manifest for linux/arm64"}


def test_a_pull_that_breaks_off_copies_nothing_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "local_engine", BrokenPull)
    monkeypatch.setattr(mirror, "push", lambda *_, **__: "sha256:old")
    monkeypatch.setattr(Keyring, "find", lambda *_: None)
    with pytest.raises(SwarmctlError, match=r"httpd:2\.4 cannot be pulled: no matching manifest"):
        mirror.mirror_images([image("httpd:2.4")], HOME, lambda _: None, "linux/arm64")
