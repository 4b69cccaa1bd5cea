"""An Engine in memory: networks, secrets, configs and services, with versions and refusals."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from swarmctl.swarm.engine import EngineError, Json
from swarmctl.swarm.model import STACK_LABEL, Swarm
from tests.unit.engine_json import node, swarm, task

NOW = "2026-01-31T12:00:00.5Z"


def service_spec(name: str, stack: str = "shop", image: str = "httpd:2.4", **more: Any) -> Json:
    """A service's spec as the docker CLI sends it."""
    labels = {STACK_LABEL: stack, "com.docker.stack.image": image}
    container = {"Image": image, **more.pop("container", {})}
    return {
        "Name": f"{stack}_{name}",
        "Labels": labels,
        "TaskTemplate": {"ContainerSpec": container, "Networks": more.pop("networks", [])},
        "Mode": {"Replicated": {"Replicas": more.pop("replicas", 2)}},
        **more,
    }


def object_spec(name: str, stack: str = "shop", data: str = "eA==") -> Json:
    """A config's or a secret's spec."""
    return {"Name": name, "Labels": {STACK_LABEL: stack}, "Data": data}


@dataclass
class FakeEngine:
    """Runs every service at once, unless its image is called ``bad``."""

    store: dict[str, dict[str, Json]] = field(
        default_factory=lambda: {k: {} for k in ("networks", "secrets", "configs", "services")}
    )
    time: str = NOW
    sent: list[str] = field(default_factory=list)
    refuse: dict[str, str] = field(default_factory=dict)  # "METHOD /path" → message
    digests: dict[str, Json] = field(default_factory=dict)
    auths: list[str] = field(default_factory=list)
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    # --- its contents ---

    def add(self, kind: str, spec: Json) -> str:
        """Create an object before the test; returns its id."""
        return str(self.send("POST", f"/{kind}/create", spec)["ID"])

    def names(self, kind: str) -> list[str]:
        """The names of all objects of a kind."""
        return sorted(_name(entry) for entry in self.store[kind].values())

    def named(self, kind: str, name: str) -> Json:
        """The object of that name."""
        return next(e for e in self.store[kind].values() if _name(e) == name)

    # --- the Engine protocol ---

    def get(self, path: str, **filters: list[str]) -> Any:
        if path == "/info":
            return {"SystemTime": self.time}
        kind, _, wanted = path.lstrip("/").partition("/")
        if wanted:
            return copy.deepcopy(self.store[kind][wanted])
        found = list(self.store[kind].values())
        for label in filters.get("label", []):
            key, _, value = label.partition("=")
            found = [e for e in found if e["Spec"]["Labels"].get(key) == value]
        for name in filters.get("name", []):
            found = [e for e in found if _name(e).startswith(name)]
        return copy.deepcopy(found)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, str] | None = None,
        auth: str = "",
        repeat: bool = False,
    ) -> Any:
        self.sent.append(f"{method} {path}")
        self.auths.append(auth)
        for prefix, message in self.refuse.items():
            if f"{method} {path}".startswith(prefix):
                raise EngineError(message, 500)
        kind, _, rest = path.lstrip("/").partition("/")
        if kind == "distribution":
            image = rest.removesuffix("/json")
            if image not in self.digests:
                raise EngineError("manifest unknown", 404)
            return self.digests[image]
        if rest == "create":
            return self._create(kind, body)
        id_, _, verb = rest.partition("/")
        if id_ not in self.store[kind]:
            raise EngineError(f"{id_} not found", 404)
        if method == "DELETE":
            del self.store[kind][id_]
            return None
        assert verb == "update"
        return self._update(kind, self.store[kind][id_], body, params or {})

    def _create(self, kind: str, spec: Json) -> Json:
        if spec["Name"] in self.names(kind):
            raise EngineError(f"{spec['Name']} already exists", 409)
        id_ = f"{kind}-{next(self.numbers)}"
        kept = {k: v for k, v in spec.items() if (kind, k) != ("secrets", "Data")}
        entry: Json = {"ID": id_, "Version": {"Index": 1}, "CreatedAt": self.time, "Spec": kept}
        self.store[kind][id_] = {"Id": id_, **spec} if kind == "networks" else entry
        return {"ID": id_}

    def _update(self, kind: str, entry: Json, spec: Json, params: Mapping[str, str]) -> Json:
        if params["version"] != str(entry["Version"]["Index"]):
            raise EngineError("rpc error: update out of sequence", 500)
        entry["Version"] = {"Index": entry["Version"]["Index"] + 1}
        entry["UpdatedAt"] = self.time
        if params.get("rollback") == "previous":
            entry["Spec"] = entry.pop("PreviousSpec")
        else:
            entry["PreviousSpec"], entry["Spec"] = entry["Spec"], dict(spec)
        return {"Warnings": None}

    def text(self, path: str, params: Mapping[str, str], limit: int) -> bytes:
        said = f"last words of {path}\n".encode()
        return b"\x02\0\0\0" + len(said).to_bytes(4, "big") + said

    def snapshot(self) -> Swarm:
        services = list(self.store["services"].values())
        tasks = []
        for entry in services:
            spec = entry["Spec"]
            bad = "bad" in spec["TaskTemplate"]["ContainerSpec"]["Image"]
            for slot in range(1, spec["Mode"]["Replicated"]["Replicas"] + 1):
                running = task(
                    "x",
                    on="wkr1",
                    slot=slot,
                    id=f"{entry['ID']}.{slot}.{entry['Version']['Index']}",
                    spec=spec["TaskTemplate"],
                    state="rejected" if bad else "running",
                    desired="shutdown" if bad else "running",
                    error="No such image: bad" if bad else "",
                )
                tasks.append({**running, "ServiceID": entry["ID"]})
        return swarm([node("mgr1", "manager"), node("wkr1")], services, tasks)


def _name(entry: Json) -> str:
    return str(entry["Spec"]["Name"] if "Spec" in entry else entry["Name"])
