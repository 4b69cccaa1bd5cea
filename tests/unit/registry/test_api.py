"""The registry's API: logins, what is not there, and what goes wrong."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from swarmctl.registry import api
from swarmctl.registry.api import Registry, RegistryError, is_loopback
from swarmctl.registry.credentials import Credentials
from swarmctl.registry.reference import Reference, parse

DIGEST = "sha256:" + "0a" * 32
Answer = tuple[int, dict[str, str], bytes]
BASIC = {"Authorization": "Basic " + b64encode(b"me:right").decode()}


class Server:
    """Answers as a function of path and headers; keeps what it was asked."""

    def __init__(self) -> None:
        self.answer: Callable[[str, dict[str, str]], Answer] = lambda *_: (404, {}, b"{}")
        self.asked: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def _do(self) -> None:
                server.asked.append(f"{self.command} {self.path}")
                status, headers, body = server.answer(self.path, dict(self.headers))
                self.send_response(status)
                for name, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            do_GET = do_HEAD = do_DELETE = _do  # noqa: N815 - the library's names

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.http.server_port}"

    def image(self, tag: str = "1") -> Reference:
        found = parse(f"{self.host}/team/app:{tag}")
        assert found
        return found


@pytest.fixture
def server() -> Iterator[Server]:
    it = Server()
    threading.Thread(target=it.http.serve_forever, args=(0.01,), daemon=True).start()
    yield it
    it.http.shutdown()
    it.http.server_close()


def test_the_digest_of_a_tag_and_none_where_there_is_no_such_tag(server: Server) -> None:
    server.answer = lambda path, _: (
        (200, {"Docker-Content-Digest": DIGEST}, b"") if path.endswith("/1") else (404, {}, b"")
    )
    registry = Registry(server.host)
    assert registry.digest(server.image()) == DIGEST
    assert registry.digest(server.image("2")) is None
    assert server.asked[0] == "HEAD /v2/team/app/manifests/1"


def test_a_password_is_sent_only_to_a_registry_that_asks_for_it(server: Server) -> None:
    def answer(path: str, headers: dict[str, str]) -> Answer:
        if headers.get("Authorization") != BASIC["Authorization"]:
            return 401, {"WWW-Authenticate": 'Basic realm="x"'}, b""
        return 200, {"Docker-Content-Digest": DIGEST}, b""

    server.answer = answer
    right = Credentials(server.host, "me", "right")
    assert Registry(server.host, right).digest(server.image()) == DIGEST
    assert len(server.asked) == 2
    wrong = Credentials(server.host, "me", "wrong")
    with pytest.raises(RegistryError, match="refuses the login of me for team/app") as caught:
        Registry(server.host, wrong).digest(server.image())
    assert "wrong" not in caught.value.message
    assert caught.value.hint.endswith(f"docker login {server.host}")
    with pytest.raises(RegistryError, match="wants a login for team/app, and none is known here"):
        Registry(server.host).digest(server.image())


def test_a_token_is_fetched_for_the_repository_and_used_again(server: Server) -> None:
    def answer(path: str, headers: dict[str, str]) -> Answer:
        if path.startswith("/token"):
            ok = headers.get("Authorization") == BASIC["Authorization"]
            return (200 if ok else 401), {}, json.dumps({"token": "t1"}).encode()
        if headers.get("Authorization") != "Bearer t1":
            realm = f'Bearer realm="http://{server.host}/token",service="reg"'
            return 401, {"WWW-Authenticate": realm}, b""
        return 200, {"Docker-Content-Digest": DIGEST}, b""

    server.answer = answer
    registry = Registry(server.host, Credentials(server.host, "me", "right"))
    assert registry.digest(server.image()) == registry.digest(server.image("2")) == DIGEST
    assert server.asked == [
        "HEAD /v2/team/app/manifests/1",
        "GET /token?service=reg&scope=repository%3Ateam%2Fapp%3Apull",
        "HEAD /v2/team/app/manifests/1",
        "HEAD /v2/team/app/manifests/2",
    ]


def test_all_pages_of_tags_are_read(server: Server) -> None:
    def answer(path: str, _: dict[str, str]) -> Answer:
        if "last=b" in path:
            return 200, {}, b'{"tags": ["c"]}'
        link = '</v2/team/app/tags/list?last=b&n=2>; rel="next"'
        return 200, {"Link": link}, b'{"tags": ["b", "a"]}'

    server.answer = answer
    assert Registry(server.host).tags("team/app") == ["a", "b", "c"]
    server.answer = lambda *_: (404, {}, b"")
    assert Registry(server.host).tags("team/app") == []


def test_the_size_of_an_image_is_that_of_its_layers(server: Server) -> None:
    config = {"created": "2026-01-01T10:00:00.123456789Z"}
    manifest = {
        "config": {"digest": "sha256:c", "size": 1},
        "layers": [{"size": 20}, {"size": 300}],
    }
    server.answer = lambda path, _: (
        200,
        {},
        json.dumps(config if "/blobs/" in path else manifest).encode(),
    )
    found = Registry(server.host).manifest("team/app", DIGEST)
    assert found
    assert found.size == 321
    assert found.created
    assert found.created.isoformat() == "2026-01-01T10:00:00.123456+00:00"


def test_an_image_of_many_platforms_has_the_size_of_all_and_the_age_of_the_newest(
    server: Server,
) -> None:
    kind = "application/vnd.oci.image.manifest.v1+json"
    documents = {
        "manifests/sha256:index": {
            "manifests": [{"digest": f"sha256:{n}", "mediaType": kind} for n in (1, 2)]
        },
        "manifests/sha256:1": {"config": {"digest": "c1", "size": 1}, "layers": [{"size": 10}]},
        "manifests/sha256:2": {"config": {"digest": "c2", "size": 1}, "layers": [{"size": 20}]},
        "blobs/c1": {"created": "2026-01-01T10:00:00Z"},
        "blobs/c2": {"created": "2026-01-02T10:00:00Z"},
    }
    server.answer = lambda path, _: (
        200,
        {},
        json.dumps(documents[path.removeprefix("/v2/team/app/")]).encode(),
    )
    found = Registry(server.host).manifest("team/app", "sha256:index")
    assert found
    assert found.size == 32
    assert found.created
    assert found.created.day == 2


@pytest.mark.parametrize(
    ("realm", "trusted"), [("reg.example:5000", "ca.crt"), ("auth.example", None)]
)
def test_a_registry_s_own_certificate_is_trusted_for_its_own_tokens_only(
    realm: str, trusted: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "_certificates", lambda _: "ca.crt")
    trust: dict[str, str | None] = {}

    def answer(
        _: requests.Session, method: str, url: str, verify: str | None, **options: object
    ) -> requests.Response:
        trust[url] = verify
        found = requests.Response()
        found.url, found._content = url, b'{"token": "t"}'
        found.status_code = 200 if "/token" in url else 401
        found.headers["WWW-Authenticate"] = f'Bearer realm="https://{realm}/token"'
        return found

    monkeypatch.setattr(requests.Session, "request", answer)
    with pytest.raises(RegistryError):
        Registry("reg.example:5000").tags("team/app")
    assert trust == {
        "https://reg.example:5000/v2/team/app/tags/list": "ca.crt",
        f"https://{realm}/token": trusted,
    }


def test_a_refusal_has_the_registry_s_own_words(server: Server) -> None:
    errors = {"errors": [{"code": "TOOMANYREQUESTS", "message": "slow down"}]}
    server.answer = lambda *_: (429, {}, json.dumps(errors).encode())
    with pytest.raises(RegistryError, match="HTTP 429 slow down") as caught:
        Registry(server.host).tags("team/app")
    assert caught.value.status == 429


def test_a_registry_that_forbids_deletion_is_told_from_one_that_does_not_answer(
    server: Server,
) -> None:
    server.answer = lambda *_: (405, {}, b"")
    with pytest.raises(RegistryError, match="does not allow images to be deleted"):
        Registry(server.host).delete("team/app", DIGEST)
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(RegistryError, match=f"the registry {server.host} does not answer: .*refus"):
        Registry(server.host).digest(server.image())


def test_plain_http_is_used_with_addresses_of_this_computer_only() -> None:
    for host in ("127.0.0.1:5000", "127.1.2.3", "localhost:5000", "[::1]:5000"):
        assert is_loopback(host)
    for host in ("10.0.0.1:5000", "registry.example", "localhost.example"):
        assert not is_loopback(host)
