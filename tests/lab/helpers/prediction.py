"""Test bench of the prediction: build a random Swarm, kill a node, compare.

A scenario is drawn from a seed, set up on real nodes, and one node is killed. What the managers
then assign is compared with what was predicted from a snapshot taken just before.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Protocol

from swarmctl.prediction import Prediction, Predictor
from swarmctl.swarm.parse import parse_swarm
from swarmctl.wait import wait_for

IMAGE = "tiny:1"
GIB = 1 << 30
ALIVE = ("assigned", "accepted", "preparing", "ready", "starting", "running")

GET = "curl -s --fail-with-body --unix-socket /var/run/docker.sock"
POST = f"{GET} -X POST -H 'Content-Type: application/json'"
URL = "http://engine/v1.45/"

# Everything that is in the image: one program and what it is linked with.
MAKE_IMAGE = (
    "cd / && tar -ch usr/bin/sleep $(ldd /usr/bin/sleep | grep -o '/[^ ]*' | sed s,^/,,)"
    f" | docker import - {IMAGE}"
)


class Machines(Protocol):
    """The nodes of the bench's own Swarm; the first is its only manager."""

    @property
    def names(self) -> Sequence[str]:
        """Host names."""

    def run(self, name: str, script: str, stdin: str = "") -> str:
        """Run a shell script on a node and return its output; raises if the script fails."""

    def kill(self, name: str) -> None:
        """Cut a node's power."""

    def revive(self, name: str) -> None:
        """Start it again; its Engine may be ready later."""


@dataclass(frozen=True)
class Scenario:
    """One random Swarm.

    Attributes:
        nodes: how many take part; the others are drained.
        labels: of each node.
        first: availability of each node while the services start.
        then: availability of each node afterwards.
        services: as POST /services/create takes them.
        scaled: replicas that some services get in the end.
        victim: picks the node that is killed among the workers with most to lose.
    """

    seed: int
    nodes: int
    labels: tuple[dict[str, str], ...]
    first: tuple[str, ...]
    then: tuple[str, ...]
    services: tuple[dict[str, Any], ...]
    scaled: Mapping[str, int]
    victim: int


def draw(seed: int, machines: int) -> Scenario:
    """Draw a scenario for this number of machines (at least two)."""
    rng = Random(seed)
    nodes = rng.randint(2, machines)
    zones = ["a", "b", "c"][: rng.randint(2, 3)]
    labels = tuple(_labels(rng, zones) for _ in range(machines))
    first = tuple("active" if i == 0 or rng.random() < 0.6 else "pause" for i in range(nodes)) + (
        "drain",
    ) * (machines - nodes)
    then = tuple(
        "pause" if i < nodes and rng.random() < 0.12 else "active" if i < nodes else "drain"
        for i in range(machines)
    )
    services = tuple(_service(rng, n, zones) for n in range(rng.randint(1, 4)))
    scaled = {
        s["Name"]: s["Mode"]["Replicated"]["Replicas"] + rng.randint(1, 4)
        for s in services
        if "Replicated" in s["Mode"] and rng.random() < 0.5
    }
    return Scenario(seed, nodes, labels, first, then, services, scaled, rng.randrange(60))


def _labels(rng: Random, zones: Sequence[str]) -> dict[str, str]:
    labels = {"az": rng.choice(zones)} if rng.random() < 0.85 else {}
    return labels | {"disk": rng.choice(["ssd", "hdd"])}


def _service(rng: Random, number: int, zones: Sequence[str]) -> dict[str, Any]:
    is_global = rng.random() < 0.1
    spec = _plain_service(f"s{number}", rng.randint(1, 5))
    if is_global:
        spec["Mode"] = {"Global": {}}
    spec["TaskTemplate"]["RestartPolicy"] = {
        "Condition": rng.choice(["any"] * 6 + ["on-failure", "none"]),
        "Delay": rng.choice([0, 1_000_000_000]),
    }
    placement = spec["TaskTemplate"]["Placement"]
    if rng.random() < 0.3:
        placement["Constraints"] = [
            rng.choice(
                [
                    f"node.labels.az != {rng.choice(zones)}",
                    "node.labels.disk == ssd",
                    "node.role == worker",
                ]
            )
        ]
    if rng.random() < 0.45 and not is_global:
        descriptors = rng.sample(["node.labels.az", "node.labels.disk"], rng.choice([1, 1, 2]))
        placement["Preferences"] = [{"Spread": {"SpreadDescriptor": d}} for d in descriptors]
    if rng.random() < 0.2 and not is_global:
        placement["MaxReplicas"] = rng.randint(1, 3)
    if rng.random() < 0.4:
        spec["TaskTemplate"]["Resources"] = {"Reservations": _reservation(rng)}
    if rng.random() < 0.15:
        port = {"Protocol": "tcp", "TargetPort": 80, "PublishMode": "host"}
        spec["EndpointSpec"] = {"Ports": [port | {"PublishedPort": rng.choice([8080, 8081])}]}
    return spec


def _plain_service(name: str, replicas: int) -> dict[str, Any]:
    return {
        "Name": name,
        "Mode": {"Replicated": {"Replicas": replicas}},
        "TaskTemplate": {
            "ContainerSpec": {
                "Image": IMAGE,
                "Command": ["/usr/bin/sleep", "1000000"],
                "StopGracePeriod": 1,
            },
            "Placement": {},
            "RestartPolicy": {"Condition": "any", "Delay": 0},
        },
    }


def _reservation(rng: Random) -> dict[str, int]:
    if rng.random() < 0.5:
        return {"NanoCPUs": rng.choice([300, 500, 700, 900]) * 1_000_000}
    return {"MemoryBytes": rng.choice([3, 5, 7]) * GIB}


@dataclass(frozen=True)
class Trial:
    """The result of a scenario."""

    scenario: Scenario
    snapshot: Mapping[str, Any]
    prediction: Prediction
    counts: Mapping[str, Mapping[str, int]]
    pending: Mapping[str, int]
    errors: Mapping[str, Collection[str]]  # of pending tasks, by service
    disturbed: str  # why this trial proves nothing; "" if it is valid

    @property
    def agrees(self) -> bool:
        """Whether the observed placement is one of the outcomes, pending tasks included."""
        seen = (_plain(self.counts), dict(self.pending))
        return any((_plain(o.counts), dict(o.pending)) == seen for o in self.prediction.outcomes)

    @property
    def reasons_agree(self) -> bool:
        """Whether a pending task of each service has the predicted error.

        Others may have an older error: tasks that were pending when their service was scaled are
        not tried again.
        """
        return all(
            reason in self.errors.get(service, ())
            for service, reason in self.prediction.reasons.items()
            if service in self.pending
        )


def _plain(counts: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    return {
        s: {k: n for k, n in per.items() if n} for s, per in counts.items() if any(per.values())
    }


class Bench:
    """Runs scenarios on machines; call :meth:`form` first."""

    def __init__(self, machines: Machines) -> None:
        self.machines = machines
        self.manager = machines.names[0]

    def form(self, address: str) -> None:
        """Form a Swarm of the machines, with a short heartbeat, and load the image on them."""
        run = self.machines.run
        init = f"docker swarm init --advertise-addr {address} --dispatcher-heartbeat 1s"
        run(self.manager, init)
        token = run(self.manager, "docker swarm join-token -q worker").strip()
        for name in self.machines.names:
            if name != self.manager:
                run(name, f"docker swarm join --token {token} {address}:2377")
            run(name, MAKE_IMAGE)

    def try_out(self, scenario: Scenario, kills: int = 1) -> Trial:
        """Set up a scenario, kill its victims, record the result, and clean up."""
        try:
            self._set_up(scenario)
            return self._kill(scenario, kills)
        finally:
            self._clean()

    def uneven(self) -> Trial:
        """Four nodes with 0, 0, 5 and 12 replicas; the one with 12 is killed."""
        machines = len(self.machines.names)
        rest = ("drain",) * (machines - 4)
        scenario = Scenario(0, 4, ({},) * machines, (), (), (), {}, 0)
        spec = _plain_service("web", 5)
        try:
            self._describe_nodes(scenario, ("pause", "pause", "active", "pause", *rest))
            service = self._create(spec)
            self._settled("5 replicas on the third node")
            self._describe_nodes(scenario, ("pause", "pause", "pause", "active", *rest))
            self._scale(service, 17)
            self._settled("12 replicas on the fourth node")
            self._describe_nodes(scenario, ("active",) * 4 + rest)
            # Of the two with tasks the fourth: the victim is picked by the order of names.
            busy = sorted(self.machines.names[2:4])
            victim = replace(scenario, victim=busy.index(self.machines.names[3]))
            return self._kill(victim, 1)
        finally:
            self._clean()

    def _set_up(self, scenario: Scenario) -> None:
        self._describe_nodes(scenario, scenario.first)
        ids = {s["Name"]: self._create(s) for s in scenario.services}
        self._settled("services to start")
        self._describe_nodes(scenario, scenario.then)
        for name, replicas in scenario.scaled.items():
            self._scale(ids[name], replicas)

    def _kill(self, scenario: Scenario, kills: int) -> Trial:
        snapshot = self._settled("the Swarm to settle before the kill")
        victims = self._victims(scenario, snapshot, kills)
        prediction = Predictor(parse_swarm(snapshot)).predict(victims)
        for name in victims.values():
            self.machines.kill(name)
        after = self._settled(f"{list(victims.values())} to be replaced", dead=set(victims))
        counts, pending, errors = _observed(after)
        return Trial(
            scenario, snapshot, prediction, counts, pending, errors, _disturbed(snapshot, after)
        )

    def _victims(
        self, scenario: Scenario, snapshot: Mapping[str, Any], kills: int
    ) -> dict[str, str]:
        """Names by id of the workers to kill; workers with tasks if there are enough."""
        workers = [n for n in snapshot["nodes"] if _hostname(n) != self.manager]
        busy = {t.get("NodeID") for t in snapshot["tasks"] if t.get("Slot")}
        among = [n for n in workers if n["ID"] in busy]
        among = sorted(among if len(among) >= kills else workers, key=_hostname)
        first = scenario.victim % len(among)
        return {n["ID"]: _hostname(n) for n in (among[first:] + among[:first])[:kills]}

    def _clean(self) -> None:
        """Remove the services and bring every node back."""
        self.machines.run(
            self.manager, "docker service ls -q | xargs -r docker service rm >/dev/null"
        )
        for name in self.machines.names:
            self.machines.revive(name)
        wait_for("all nodes to be ready and empty", self._empty, timeout=240, interval=0.5)

    def _empty(self) -> tuple[bool | None, str]:
        snapshot = self.snapshot()
        down = [_hostname(n) for n in snapshot["nodes"] if n["Status"]["State"] != "ready"]
        left = len(snapshot["tasks"])
        return (None if down or left else True), f"not ready: {down}; tasks: {left}"

    def snapshot(self) -> dict[str, Any]:
        """The Engine's JSON, as ``swarmctl snapshot`` writes it."""
        parts = ["nodes", "services", "tasks", "networks"]
        script = " && echo && ".join(f"{GET} {URL}{part}" for part in parts)
        lines = [line for line in self.machines.run(self.manager, script).splitlines() if line]
        return dict(zip(parts, map(json.loads, lines), strict=True))

    def _describe_nodes(self, scenario: Scenario, availability: Sequence[str]) -> None:
        nodes = {_hostname(n): n for n in self.snapshot()["nodes"]}
        script = []
        for name, labels, state in zip(
            self.machines.names, scenario.labels, availability, strict=True
        ):
            node = nodes[name]
            spec = node["Spec"] | {"Availability": state, "Labels": labels}
            path = f"nodes/{node['ID']}/update?version={node['Version']['Index']}"
            script.append(f"{POST} '{URL}{path}' -d '{json.dumps(spec)}'")
        self.machines.run(self.manager, " && ".join(script))

    def _create(self, spec: Mapping[str, Any]) -> str:
        return str(self._post("services/create", spec)["ID"])

    def _scale(self, service: str, replicas: int) -> None:
        self.machines.run(self.manager, f"docker service scale -d {service}={replicas}")

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        ask = f"{POST} {URL}{path} -d @-"
        answer: dict[str, Any] = json.loads(self.machines.run(self.manager, ask, json.dumps(body)))
        return answer

    def _settled(self, what: str, dead: Collection[str] = ()) -> dict[str, Any]:
        """Wait until three snapshots are the same and every task that can run does."""
        seen: list[object] = []

        def look() -> tuple[dict[str, Any] | None, str]:
            snapshot = self.snapshot()
            restless = list(_restless(snapshot, dead))
            seen.append(None if restless else _shape(snapshot))
            calm = len(seen) >= 3 and seen[-1] is not None and seen[-1] == seen[-2] == seen[-3]
            return (snapshot if calm else None), f"{restless[:4]}"

        return wait_for(what, look, timeout=180, interval=0.7)


def _restless(snapshot: Mapping[str, Any], dead: Collection[str]) -> Iterator[str]:
    down = {n["ID"] for n in snapshot["nodes"] if n["Status"]["State"] == "down"}
    if not down.issuperset(dead):
        yield "the killed are not all down yet"
    for task in snapshot["tasks"]:
        wanted = task["DesiredState"] in ("running", "ready")
        state = task["Status"]["State"]
        if wanted and task.get("NodeID") in down:
            yield f"{task['ID']} is not replaced yet"
        elif wanted and (task["DesiredState"] != "running" or state not in ("running", "pending")):
            yield f"{task['ID']} is {state}"
        elif not wanted and state in ALIVE and task.get("NodeID") not in down:
            yield f"{task['ID']} is still {state}"
        elif wanted and state == "pending" and not task["Status"].get("Err"):
            yield f"{task['ID']} has not been tried"


def _shape(snapshot: Mapping[str, Any]) -> object:
    tasks = (
        (t["ID"], t.get("NodeID"), t["Status"]["State"], t["DesiredState"])
        for t in snapshot["tasks"]
    )
    nodes = ((n["ID"], n["Status"]["State"], n["Spec"]["Availability"]) for n in snapshot["nodes"])
    return sorted(tasks, key=str), sorted(nodes)


def _observed(
    snapshot: Mapping[str, Any],
) -> tuple[dict[str, dict[str, int]], dict[str, int], dict[str, set[str]]]:
    names = {n["ID"]: _hostname(n) for n in snapshot["nodes"]}
    services = {s["ID"]: s["Spec"]["Name"] for s in snapshot["services"]}
    counts: dict[str, dict[str, int]] = {name: {} for name in services.values()}
    pending: dict[str, int] = {}
    errors: dict[str, set[str]] = {}
    for task in snapshot["tasks"]:
        if task["DesiredState"] not in ("running", "ready"):
            continue
        service, node = services[task["ServiceID"]], names.get(task.get("NodeID", ""))
        if task["Status"]["State"] in ALIVE and node:
            counts[service][node] = counts[service].get(node, 0) + 1
        else:
            pending[service] = pending.get(service, 0) + 1
            errors.setdefault(service, set()).add(task["Status"].get("Err", ""))
    return counts, pending, errors


def _disturbed(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """A failure that the kill did not cause: on a busy machine, containers can fail to start."""
    failed = [
        t["Status"].get("Err", "") for t in (*before["tasks"], *after["tasks"])
        if t["Status"]["State"] in ("failed", "rejected")
    ]  # fmt: skip
    return f"tasks failed: {failed[0]}" if failed else ""


def _hostname(node: Mapping[str, Any]) -> str:
    return str(node["Description"]["Hostname"])
