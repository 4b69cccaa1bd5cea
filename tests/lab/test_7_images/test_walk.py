"""The whole way of docs/images.md, as it is written, with tokens that end between its steps."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator

import pytest

from tests.lab.support import ROOT, Cluster, Lab, healthy

pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]

STACK = "hello"


def blocks() -> list[str]:
    page = (ROOT / "docs/images.md").read_text()
    return re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


@pytest.fixture
def walked(lab: Lab, cluster: Cluster) -> Iterator[list[str]]:
    """The output of each block; every password of the registry ends before the next one."""
    del cluster
    end = "swarmctl lab registry --end-tokens >/dev/null\necho '--- block'\n"
    script = end.join(blocks())
    try:
        done = lab.run("bash", "-euo", "pipefail", "-c", f"{script}\n", timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        yield done.stdout.split("--- block\n")
    finally:
        lab.swarmctl("stack", "rm", STACK)
        shutil.rmtree(ROOT / "stacks" / STACK, ignore_errors=True)


def test_an_image_is_made_rolled_rolled_back_and_removed(lab: Lab, walked: list[str]) -> None:
    """Without it: a token that has ended stops a push, or a rollback needs the old files."""
    _, deployed, rolled, back, removed = walked
    assert "+ repository swarm_app/hello/web" in deployed
    assert "hello_web 2/2" in deployed
    images = [re.findall(r"@sha256:[0-9a-f]{12}", text) for text in (rolled, back)]
    first, second = images[0][0], images[0][1]
    assert first != second
    # Back to the first image by its tag, and forward again.
    assert f"{second} → " in back
    assert f"{first}" in back
    assert removed.count("- swarm_app/hello/web:") == 2  # what --dry-run said, and then was done
    left = json.loads(lab.swarmctl("image", "list", "--format", "json").stdout)["images"]
    used = {
        # Its former version may use it, too.
        image["repository"]: sorted({by.removesuffix(" (previous)") for by in image["used_by"]})
        for image in left
    }
    assert used["swarm_app/three_tier/api"] == ["three_tier_api"]
    assert healthy(lab)[0]
