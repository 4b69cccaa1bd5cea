"""A Swarm's own settings in memory: ``/swarm``, ``/swarm/unlockkey`` and ``/nodes``."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from swarmctl.swarm.engine import EngineError, Json

SPEC: Json = {
    "Name": "default",
    "Labels": {"team": "a"},
    "Dispatcher": {"HeartbeatPeriod": 1_000_000_000},
    "CAConfig": {"NodeCertExpiry": 3_600_000_000_000},
    "EncryptionConfig": {"AutoLockManagers": False},
}


@dataclass
class FakeSwarm:
    """Replaces its whole spec on an update, as the Engine does.

    Attributes:
        lose: a key of the spec that each update loses.
        nodes: name → state.
    """

    spec: Json = field(default_factory=lambda: copy.deepcopy(SPEC))
    lose: str = ""
    nodes: dict[str, str] = field(default_factory=lambda: {"mgr1": "ready", "wkr1": "ready"})
    services: list[Json] = field(default_factory=list)
    tasks: list[Json] = field(default_factory=list)
    version: int = 1
    key: int = 0
    tokens: int = 0
    root: int = 0
    in_progress: bool = False
    sent: list[dict[str, str]] = field(default_factory=list)
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def get(self, path: str, **_: list[str]) -> Any:
        tls = {"TrustRoot": f"root{self.root}", "CertIssuerPublicKey": f"issuer{self.root}"}
        if path == "/swarm/unlockkey":
            return {"UnlockKey": f"key{self.key}" if self.key else ""}
        if path in ("/services", "/tasks"):
            return copy.deepcopy(self.services if path == "/services" else self.tasks)
        if path == "/nodes":
            return [
                {
                    "ID": name,
                    "Description": {"Hostname": name, "TLSInfo": tls},
                    "Status": {"State": state},
                    **(
                        {"ManagerStatus": {"Reachability": "reachable"}}
                        if name.startswith("mgr") and state == "ready"
                        else {}
                    ),
                }
                for name, state in self.nodes.items()
            ]
        return copy.deepcopy(
            {
                "Version": {"Index": self.version},
                "Spec": self.spec,
                "JoinTokens": {"Worker": f"w{self.tokens}", "Manager": f"m{self.tokens}"},
                "TLSInfo": tls,
                "RootRotationInProgress": self.in_progress,
            }
        )

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        **_: Any,
    ) -> Any:
        assert (method, path) == ("POST", "/swarm/update")
        given = dict(params or {})
        if given.pop("version") != str(self.version):
            raise EngineError("update out of sequence", 500)
        self.version += 1
        self.sent.append(given)
        before = self.spec
        self.spec = {k: v for k, v in body.items() if k != self.lose}
        on = bool(body["EncryptionConfig"]["AutoLockManagers"])
        was_on = bool(before["EncryptionConfig"]["AutoLockManagers"])
        if on and (not was_on or "rotateManagerUnlockKey" in given):
            self.key = next(self.numbers)
        if not on:
            self.key = 0
        if "rotateWorkerToken" in given:
            self.tokens += 1
        if body["CAConfig"].get("ForceRotate", 0) != before["CAConfig"].get("ForceRotate", 0):
            self.root += 1
        return None

    def snapshot(self) -> Any:
        raise NotImplementedError

    def text(self, path: str, params: Mapping[str, str], limit: int) -> bytes:
        raise NotImplementedError


@dataclass
class FakeStore:
    """Keys in memory, and every state that was written."""

    keys: tuple[str, ...] = ()
    broken: bool = False
    written: list[tuple[str, ...]] = field(default_factory=list)
    where: str = "the store"

    def read(self) -> tuple[str, ...]:
        return self.keys

    def exists(self) -> bool:
        return bool(self.keys)

    def write(self, keys: Sequence[str]) -> None:
        from swarmctl.errors import SwarmctlError

        if self.broken:
            raise SwarmctlError("no")
        self.keys = tuple(keys)
        self.written.append(self.keys)

    def remove(self) -> bool:
        there, self.keys = bool(self.keys), ()
        return there
