"""What several tests of discovery need."""

from __future__ import annotations

from collections.abc import Iterator

import moto
import pytest

from tests.unit.discovery.cloud_api import Api


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)  # a lab's, which may be up
    with moto.mock_aws():
        yield Api()
