"""The store behind the registry, which may be away, and clients, which may go away."""

import io
from collections.abc import Iterator
from typing import Any

import pytest

from swarmctl.lab.api import Api
from swarmctl.lab.registry.registry_error import RegistryError
from swarmctl.lab.registry.serving import translation
from swarmctl.lab.registry.upstream import Upstream, blocks
from tests.unit.lab.registry.conftest import Client, error

MANIFEST = b'{"layers": []}'


@pytest.fixture
def away(api: Api, registry: str) -> Iterator[None]:
    """The store does not answer."""
    kept, api.registry.upstream = api.registry.upstream, Upstream("127.0.0.1:1")
    yield
    api.registry.upstream = kept


def test_a_stopped_store_is_an_unavailable_registry(
    repository: str, operator: Client, away: None
) -> None:
    status, code, words = error(operator("POST", f"{repository}/blobs/uploads/"))
    assert (status, code) == (503, "UNAVAILABLE")
    assert "the registry of the lab does not answer" in words


def test_what_was_not_stored_is_not_listed(
    ecr: Any, repository: str, operator: Client, away: None
) -> None:
    assert operator.push(repository, "1", MANIFEST).status_code == 503
    assert ecr.list_images(repositoryName=repository)["imageIds"] == []


@pytest.mark.parametrize(
    "environ",
    [
        {"CONTENT_LENGTH": "10", "wsgi.input": io.BytesIO(b"abc")},
        {"wsgi.input_terminated": True, "wsgi.input": None},
        {"CONTENT_LENGTH": "ten", "wsgi.input": io.BytesIO(b"abc")},
        {"CONTENT_LENGTH": "-1", "wsgi.input": io.BytesIO(b"abc")},
    ],
    ids=["too short", "reset", "no number", "negative"],
)
def test_a_layer_whose_client_goes_away_is_not_taken_for_a_whole_one(
    environ: dict[str, Any],
) -> None:
    class Reset:
        def read(self, _size: int) -> bytes:
            raise ConnectionResetError

    environ["wsgi.input"] = environ["wsgi.input"] or Reset()
    with pytest.raises(RegistryError, match="incomplete"):
        list(blocks(environ))


def test_a_machine_reaches_the_registry_at_this_computers_address() -> None:
    rules = "\n".join(translation("127.0.0.1:5000", "10.42.0.1", 1004))
    assert "ip daddr 127.0.0.1 tcp dport 5000 dnat to 10.42.0.1:1004" in rules
    assert "ip saddr 127.0.0.1 ip daddr 10.42.0.1 masquerade" in rules
    assert translation("", "10.42.0.1", 1004) == []
