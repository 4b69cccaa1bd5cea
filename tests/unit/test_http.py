"""One deadline for the whole answer, shown against real servers on loopback."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from swarmctl.http import BODY_LIMIT, Answer, Failure, get, get_or_connect

TIMEOUT_S = 0.4
HEAD = b"HTTP/1.1 200 OK\r\n"

Serve = Callable[[socket.socket, threading.Event], None]


@contextmanager
def server(
    serve: Serve, tls: ssl.SSLContext | None = None, seen: list[bytes] | None = None
) -> Iterator[str]:
    """Accepts one connection, reads the request and lets ``serve`` answer until the test ends."""
    over = threading.Event()
    scheme = "https" if tls else "http"
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):  # the client has gone: what the test is about
                client, _ = listener.accept()
                with tls.wrap_socket(client, server_side=True) if tls else client as client:
                    request = client.recv(4096)
                    if seen is not None:
                        seen.append(request)
                    serve(client, over)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            over.set()
            thread.join(5)
            assert not thread.is_alive()


def asked(serve: Serve, timeout_s: float = TIMEOUT_S) -> Answer:
    with server(serve) as url:
        began = time.monotonic()
        answer = get(url, timeout_s)
        assert time.monotonic() - began < timeout_s + 0.3
    return answer


def sends(*parts: bytes) -> Serve:
    def serve(client: socket.socket, over: threading.Event) -> None:
        del over
        for part in parts:
            client.sendall(part)

    return serve


def drips(start: bytes, part: bytes) -> Serve:
    """One part every 0.05 s: far more often than any socket's time-out."""

    def serve(client: socket.socket, over: threading.Event) -> None:
        client.sendall(start)
        while not over.wait(0.05):
            client.sendall(part)

    return serve


def silent(client: socket.socket, over: threading.Event) -> None:
    del client
    over.wait(5)


def test_a_whole_answer_has_its_status_and_time() -> None:
    answer = asked(sends(HEAD + b"Content-Length: 2\r\n\r\n", b"ok"))
    assert (answer.status, answer.failure, answer.detail) == (200, None, "HTTP 200")
    assert 0 < answer.seconds < TIMEOUT_S


def test_a_server_that_accepts_and_says_nothing_is_late() -> None:
    answer = asked(silent)
    assert (answer.status, answer.failure) == (None, Failure.LATE)
    assert answer.detail == "no answer within 0.4 s"
    assert answer.seconds >= TIMEOUT_S


def test_headers_that_drip_in_are_late() -> None:
    answer = asked(drips(HEAD, b"X-More: 1\r\n"))
    assert (answer.status, answer.failure) == (None, Failure.LATE)


def test_interim_responses_without_end_are_late() -> None:
    answer = asked(drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"))
    assert (answer.status, answer.failure) == (None, Failure.LATE)


def test_a_body_of_a_known_length_that_drips_in_is_late() -> None:
    answer = asked(drips(HEAD + b"Content-Length: 1000\r\n\r\n", b"x"))
    assert (answer.status, answer.failure) == (200, Failure.LATE)
    assert answer.detail == "HTTP 200, no whole body within 0.4 s"


@pytest.mark.parametrize(
    ("header", "part"), [(b"Transfer-Encoding: chunked\r\n", b"1\r\nx\r\n"), (b"", b"data: x\n\n")]
)
def test_a_stream_that_never_ends_has_answered_when_its_headers_came(
    header: bytes, part: bytes
) -> None:
    answer = asked(drips(HEAD + header + b"\r\n", part))
    assert (answer.status, answer.failure) == (200, None)
    assert answer.seconds < TIMEOUT_S / 2


def test_of_a_large_body_only_the_beginning_is_read() -> None:
    half = b"x" * (BODY_LIMIT // 2)
    answer = asked(sends(HEAD + b"Content-Length: 1000000000\r\n\r\n", half, half))
    assert (answer.status, answer.failure) == (200, None)


@pytest.mark.parametrize(
    "start", [b"Content-Length: 10\r\n\r\nhalf", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhalf"]
)
def test_a_body_that_is_cut_short_is_broken(start: bytes) -> None:
    answer = asked(sends(HEAD + start))
    assert (answer.status, answer.failure) == (200, Failure.BROKEN)
    assert answer.detail == "HTTP 200, the body was cut short"


def test_a_reset_connection_is_broken() -> None:
    def reset(client: socket.socket, over: threading.Event) -> None:
        del over
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    answer = asked(reset)
    assert (answer.status, answer.failure) == (None, Failure.BROKEN)
    assert answer.detail == "connection reset by peer"


@pytest.mark.parametrize("words", [b"", b"E\x00\x00\x00\x10not http\r\n"])
def test_something_else_than_http_is_told_apart(words: bytes) -> None:
    answer = asked(sends(words))
    assert (answer.status, answer.failure) == (None, Failure.NOT_HTTP)


def test_a_redirect_is_not_followed() -> None:
    answer = asked(sends(b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"))
    assert (answer.status, answer.failure) == (302, None)


def test_a_refused_connection_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    answer = get(f"http://127.0.0.1:{port}/", TIMEOUT_S)
    assert (answer.status, answer.failure) == (None, Failure.UNREACHABLE)
    assert answer.detail == "connection refused"


def test_a_name_that_is_resolved_too_late_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: a dead name server makes every probe of a name hang for half a minute."""
    real, over = socket.getaddrinfo, threading.Event()

    def stuck(host: str, port: int, **options: int) -> object:
        if options.get("flags") == socket.AI_NUMERICHOST:
            return real(host, port, **options)
        over.wait(5)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", stuck)
    answer = get("http://slow.example/", 0.1)
    over.set()
    assert (answer.failure, answer.detail) == (Failure.LATE, "no answer within 0.1 s")


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", ""])
def test_what_is_no_host_is_unreachable(host: str) -> None:
    assert get(f"http://{host}:80/", 5.0).failure is Failure.UNREACHABLE


def test_a_path_is_sent_encoded() -> None:
    seen: list[bytes] = []
    with server(sends(HEAD + b"Content-Length: 0\r\n\r\n"), seen=seen) as url:
        get(url.replace("//", "//me:secret@") + "a b?c=ä&d=%20", 2.0)
    assert seen[0].startswith(b"GET /a%20b?c=%C3%A4&d=%20 HTTP/1.1\r\n")
    assert b"secret" not in seen[0]


# -- HTTPS -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now, host = datetime.now(UTC), x509.IPAddress(IPv4Address("127.0.0.1"))
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([host]), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(key.private_bytes(*plain) + signed.public_bytes(Encoding.PEM))
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_https_has_the_same_deadline(
    certificate: Path, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with server(sends(HEAD + b"Content-Length: 2\r\n\r\nok"), tls) as url:
        assert get(url, 2.0).detail == "HTTP 200"
    with server(drips(HEAD + b"Content-Length: 99\r\n\r\n", b"x"), tls) as url:
        assert get(url, TIMEOUT_S).failure is Failure.LATE
    with server(silent) as url:  # accepts, and never answers the handshake
        assert get(url.replace("http:", "https:"), TIMEOUT_S).failure is Failure.LATE


def test_a_certificate_that_is_not_trusted_is_a_broken_connection(tls: ssl.SSLContext) -> None:
    with server(silent, tls) as url:
        answer = get(url, 2.0)
    assert (answer.status, answer.failure) == (None, Failure.BROKEN)
    assert "certificate" in answer.detail


def test_without_a_path_an_accepted_connection_is_enough() -> None:
    """Broken: a service that waits for its client to speak never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = f"127.0.0.1:{listener.getsockname()[1]}"
        assert get_or_connect(place, "", 2).failure is None
        assert get_or_connect(place, "/", TIMEOUT_S).failure is Failure.LATE
    assert get_or_connect(place, "", 2).failure is Failure.UNREACHABLE
