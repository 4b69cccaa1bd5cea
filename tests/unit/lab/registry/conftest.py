"""The registry of a lab, served in this process, with a store that is none of Docker's."""

import base64
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
import requests

from swarmctl.lab.api import Api
from swarmctl.lab.http_server import http_server
from swarmctl.lab.registry.serving import serve_registry
from swarmctl.lab.registry.upstream import blocks
from tests.unit.lab.conftest import KEY_ID, SECRET

KIND = "application/vnd.docker.distribution.manifest.v2+json"
UPLOAD = "/v2/one/web/blobs/uploads/1"


@dataclass
class Store:
    """Stands in for docker-registry: keeps manifests, and the blocks of the last layer."""

    manifests: dict[str, bytes] = field(default_factory=dict)  # by path
    asked: list[str] = field(default_factory=list)
    layer: list[int] = field(default_factory=list)  # the sizes of its blocks
    answer: bytes = b""  # to a request for a layer

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        query = environ.get("QUERY_STRING", "")
        self.asked.append(f"{method} {path}?{query}" if query else f"{method} {path}")
        status, headers, body = "200 OK", [("Docker-Distribution-Api-Version", "registry/2.0")], b""
        match method:
            case "PUT" if "/manifests/" in path:
                status, self.manifests[path] = "201 Created", b"".join(blocks(environ))
            case "DELETE":
                status = "202 Accepted" if self.manifests.pop(path, b"") else "404 Not Found"
            case "PATCH":
                self.layer = [len(block) for block in blocks(environ)]
                status = "202 Accepted"
            case "POST":
                status = "202 Accepted"
                headers.append(("Location", UPLOAD))
            case _ if "/manifests/" in path:
                body = self.manifests[path]
            case _:
                body = self.answer
        start_response(status, [*headers, ("Content-Length", str(len(body)))])
        return [body]


@dataclass(frozen=True)
class Client:
    """A client of the registry with a password, or without."""

    address: str
    password: str = ""

    def __call__(self, method: str, path: str, **more: Any) -> requests.Response:
        auth = ("AWS", self.password) if self.password else None
        url = f"http://{self.address}/v2/{path}"
        return requests.request(method, url, auth=auth, timeout=10, **more)

    def push(self, repository: str, tag: str, manifest: bytes) -> requests.Response:
        """Send a manifest."""
        return self(
            "PUT", f"{repository}/manifests/{tag}", data=manifest, headers={"Content-Type": KIND}
        )


@pytest.fixture(scope="session")
def store() -> Store:
    return Store()


@pytest.fixture(scope="session")
def registry(api: Api, store: Store) -> str:
    """Its address."""
    server = http_server("127.0.0.1", 0, store)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return serve_registry(api.registry, f"127.0.0.1:{server.port}", 3600)


@pytest.fixture(scope="session")
def ecr(endpoint: str, registry: str) -> Any:
    return boto3.client(
        "ecr",
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
    )


@pytest.fixture
def repository(ecr: Any, store: Store) -> Iterator[str]:
    name = "one/web"
    ecr.create_repository(repositoryName=name)
    store.asked.clear()
    yield name
    ecr.delete_repository(repositoryName=name, force=True)


@pytest.fixture
def operator(ecr: Any, registry: str) -> Client:
    return Client(registry, password(ecr))


def password(ecr: Any) -> str:
    """A new password of the registry."""
    (data,) = ecr.get_authorization_token()["authorizationData"]
    return base64.b64decode(data["authorizationToken"]).decode().partition(":")[2]


def digest_of(manifest: bytes) -> str:
    return f"sha256:{hashlib.sha256(manifest).hexdigest()}"


def error(answer: requests.Response) -> tuple[int, str, str]:
    """Status, code and words of a refusal."""
    (found,) = answer.json()["errors"]
    return answer.status_code, found["code"], found["message"]
