"""A removal that is interrupted releases its lock, and says how to go on."""

from __future__ import annotations

import os
import signal
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any, cast

import pytest

from swarmctl.cluster import Target
from swarmctl.stack.deploy import remove
from swarmctl.swarm import lock
from tests.unit.engine_fake import FakeEngine, service_spec


class Interrupted(FakeEngine):
    """While a service is removed, a signal comes; and two more while the lock is released."""

    first = signal.SIGINT

    def send(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        if method == "DELETE" and path.startswith("/services/"):
            os.kill(os.getpid(), self.first)
        if method == "DELETE" and path.startswith("/configs/"):
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGINT)
        return super().send(method, path, body, **more)


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_removal_releases_its_lock_and_says_how_to_go_on(
    first: signal.Signals, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Broken: a second Ctrl-C leaves the lock, and the next removal is refused."""
    fake = Interrupted()
    fake.first = first
    fake.add("services", service_spec("web"))
    monkeypatch.setattr(remove, "connect", lambda _: nullcontext())
    monkeypatch.setattr(remove, "SwarmEngine", lambda _: fake)
    notes: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        remove.remove_stack(
            cast(Target, SimpleNamespace()),
            "shop",
            volumes=False,
            timeout=10,
            confirm=lambda _: None,
            removed=notes.append,
            note=notes.append,
        )
    assert notes == ["shop is removed in part; the rest: swarmctl stack rm shop"]
    assert lock.find(fake, lock.of_stack("shop")) is None
    said = capfd.readouterr().err
    assert said.count("still releasing the lock of shop; a signal does not stop it") == 2
