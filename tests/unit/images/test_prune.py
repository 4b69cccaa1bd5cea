"""What is never removed from a registry."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

from swarmctl.cloud.ecr import Ecr, StoredImage
from swarmctl.images.home import Home
from swarmctl.images.stored import Stored, stored_images, unused
from swarmctl.registry import former
from swarmctl.swarm.engine import Json

START = datetime(2026, 1, 1, tzinfo=UTC)
NAME = "reg.example:5000/a/api"


class FakeEcr:
    def images(self, _: str) -> list[StoredImage]:
        return [
            StoredImage(f"sha256:{n}", (f"t{n}",), n, START.replace(day=n)) for n in (4, 3, 2, 1)
        ]


def spec(tag: str) -> Json:
    return {"Name": "shop_api", "TaskTemplate": {"ContainerSpec": {"Image": f"{NAME}:{tag}"}}}


def test_what_a_rollback_starts_is_in_use_also_after_a_refresh_of_the_credentials() -> None:
    before = {"ID": "s1", "Spec": spec("t3"), "PreviousSpec": spec("t1")}
    kept = former.to_keep(before)
    assert kept
    assert json.loads(base64.b64decode(kept["Data"]))["spec"] == spec("t1")
    after = {**before, "PreviousSpec": spec("t3")}
    home = replace(Home("reg.example:5000", "a"), ecr=cast(Ecr, FakeEcr()))
    configs = [{"Spec": {"Name": "other"}}, {"Spec": kept}]
    found = stored_images(home, ["a/api"], [after], configs)
    assert {i.tags[0]: i.used_by for i in found} == {
        "t4": (),
        "t3": ("shop_api", "shop_api (previous)"),
        "t2": (),
        "t1": ("shop_api (previous)",),
    }
    assert [i.tags[0] for i in unused(found, keep=1)] == ["t2"]


def test_an_image_whose_age_is_not_known_may_be_the_newest_and_stays() -> None:
    old = Stored("a", "sha256:2", ("old",), 1, START)
    images = [old, replace(old, tags=("unknown",), pushed=None)]
    assert unused(images, keep=0) == [old]
