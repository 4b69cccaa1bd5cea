"""``swarmctl audit``: what is gathered, what is printed, and the exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from swarmctl import cluster
from swarmctl.audit import gather
from swarmctl.audit.ask_nodes import ask_nodes
from swarmctl.cli import main as cli
from swarmctl.errors import SwarmctlError
from tests.unit.autolock.swarm_fake import FakeStore
from tests.unit.engine_json import node, service, task

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
KEY = "SWMKEY-1-secret"


def certificate(days: int) -> str:
    """A certificate of 90 days that ends in so many."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "node")])
    end = NOW + timedelta(days=days)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(end - timedelta(days=90))
        .not_valid_after(end)
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM).decode()


def answer(days: int = 60, images: str = "httpd:2.4 httpd@<none> sha256:1") -> str:
    """What the script prints on a node."""
    return (
        f"=== images\n{images}\n"
        "=== bytes\n/dev/vda1 100000000 50000000 50000000 50% /var/lib/docker\n"
        f"=== inodes\n- 0 0 0 - /var/lib/docker\n=== certificate\n{certificate(days)}"
    )


class Nodes:
    """The nodes' answers by hostname; those without one are silent."""

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers

    def run(self, host: str, script: str, timeout_s: float = 20.0) -> str:
        if host not in self.answers:
            raise SwarmctlError(f"{host}: no answer")
        return self.answers[host]

    def close(self) -> None: ...


def test_a_node_tells_its_certificate_its_disk_and_its_images() -> None:
    told, images = ask_nodes(Nodes({"w1": answer(60), "w2": ""}), {"1": "w1", "2": "w2", "3": "w3"})
    assert told["w1"].certificate == (NOW - timedelta(days=30), NOW + timedelta(days=60))
    assert told["w1"].disk is not None
    assert told["w1"].disk.free == 50_000_000 << 10
    assert told["w1"].inodes is None  # the file system does not count them
    assert told["w2"].certificate is None
    assert images.images["1"] == {"httpd:2.4", "sha256:1"}
    assert images.silent == {"w3": "w3: no answer"}


Audited = Callable[..., int]


@pytest.fixture
def stored() -> FakeStore:
    """The cluster's stored unlock keys."""
    return FakeStore()


@pytest.fixture
def audited(monkeypatch: pytest.MonkeyPatch, stored: FakeStore) -> Audited:
    """Run the command on three managers and one service; the third manager lacks its image."""

    def run(*words: str, autolock: bool = False, third: str = "") -> int:
        managers = ("m1", "m2", "m3")
        raw = {
            "nodes": [node(name, "manager", leader=name == "m1") for name in managers],
            "services": [service("web", replicas=2, stack="shop")],
            "tasks": [task("web", "m1", 1), task("web", "m2", 2)],
            "networks": [{"Id": "1", "Name": "bridge", "Driver": "bridge"}],
            "taken_at": NOW.isoformat(),
        }
        swarm = {
            "RootRotationInProgress": False,
            "Spec": {"EncryptionConfig": {"AutoLockManagers": autolock}},
        }
        api = SimpleNamespace(
            inspect_swarm=lambda: swarm,
            get_unlock_key=lambda: {"UnlockKey": KEY},
            configs=lambda filters: [],
        )
        client = SimpleNamespace(docker=SimpleNamespace(api=api), ask=lambda call: call())
        answers = {"m1": answer(), "m2": answer(), "m3": third or answer(images="")}
        target = SimpleNamespace(
            connect=lambda: nullcontext(client),
            shell=lambda: Nodes(answers),
            instances=(object(),),
            cluster="shop",
        )
        monkeypatch.setattr(gather, "store_of", lambda _: stored)
        monkeypatch.setattr(cluster, "resolve", lambda *_: target)
        monkeypatch.setattr(gather, "take_snapshot", lambda _: raw)
        return cli.main(["audit", *words])

    return run


def test_an_absent_image_fails_the_audit_and_the_line_has_the_remedy(
    audited: Audited, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audited() == 1
    out = capsys.readouterr().out
    assert "would have to pull httpd:2.4 on m3  → swarmctl image prefetch web" in out
    assert out.splitlines()[-1] == "1 would keep it from failing over; 1 could not be checked"
    assert audited(third=answer()) == 0
    assert "nothing found that would keep it from failing over" in capsys.readouterr().out


def test_a_finding_that_is_accepted_does_not_fail(
    audited: Audited, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audited("--accept", "images") == 0
    assert audited("shop", "--accept", "managers") == 1
    assert audited("--accept", "imgaes") == 2
    assert "did you mean 'images'?" in capsys.readouterr().err


def test_the_json_has_each_line_with_its_remedy(
    audited: Audited, capsys: pytest.CaptureFixture[str]
) -> None:
    audited("--format", "json")
    checks: list[dict[str, Any]] = json.loads(capsys.readouterr().out)["checks"]
    assert {tuple(check) for check in checks} == {("name", "ok", "detail", "remedy")}
    assert next(c for c in checks if c["name"] == "images")["ok"] is False
    assert next(c for c in checks if c["name"] == "network")["ok"] is None


def test_an_audit_of_nodes_that_all_keep_silent_fails(
    audited: Audited, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Nodes, "run", lambda *_: (_ for _ in ()).throw(SwarmctlError("no answer")))
    assert audited() == 1
    out = capsys.readouterr().out
    assert out.count("not known: no answer") == 9  # 3 nodes, 3 checks
    assert "no node answers; m1: no answer" in out


def test_the_stored_unlock_key_is_compared_and_never_printed(
    audited: Audited, stored: FakeStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    known = ["--unlock-key-file", str(file)]
    assert audited(*known, autolock=True, third=answer()) == 0
    file.write_text("SWMKEY-1-old\n")
    assert audited(*known, autolock=True, third=answer()) == 1
    assert "the stored key is not the Swarm's" in capsys.readouterr().out
    assert audited("--unlock-key-stored", autolock=True, third=answer()) == 0
    assert audited(autolock=True, third=answer()) == 0
    captured = capsys.readouterr()
    assert "nothing tells where it is stored" in captured.out
    assert "SWMKEY" not in captured.out + captured.err
    stored.keys = (KEY,)
    assert audited(autolock=True, third=answer()) == 0
    assert "not locked, or the key is stored" in capsys.readouterr().out
    stored.keys = ("SWMKEY-1-old",)
    assert audited(autolock=True, third=answer()) == 1
    file.write_text("")
    assert audited(*known, autolock=True) == 2


def test_an_engine_that_refuses_is_an_error_in_words(
    audited: Audited, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: through the proxy of stacks/web, the audit ends with a traceback."""
    audited()
    refused: Any = SimpleNamespace(status_code=403)
    refusal = docker.errors.APIError("403 Forbidden", refused)
    monkeypatch.setattr(gather, "_autolock", lambda _: (_ for _ in ()).throw(refusal))
    assert cli.main(["audit"]) == 1
    assert "refuses to say what an audit has to know (HTTP 403)" in capsys.readouterr().err


def test_what_a_node_says_is_nothing_that_a_terminal_obeys(
    audited: Audited, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = SwarmctlError("n: \x1b]0;title\x07\x1b[2J\x9b2Jno")
    monkeypatch.setattr(Nodes, "run", lambda *_: (_ for _ in ()).throw(said))
    for form in ("table", "json"):
        audited("--format", form)
        out = capsys.readouterr().out
        assert not {"\x1b", "\x9b"} & set(out)
    assert "n: \x1b]0;title\x07\x1b[2J\x9b2Jno" in {
        check["detail"].partition("not known: ")[2] for check in json.loads(out)["checks"]
    }


@pytest.mark.parametrize(
    "words",
    [["web", "--security"], ["--security", "--deep"], ["--security", "--unlock-key-stored"],
     ["--trust", "web"]],
)  # fmt: skip
def test_options_that_would_do_nothing_are_refused(words: list[str]) -> None:
    assert cli.main(["audit", *words]) == 2
