"""Warnings about a loss, besides where the tasks go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from swarmctl.prediction.addresses import size, used
from swarmctl.prediction.prediction import Notice, Prediction
from swarmctl.prediction.predictor import ONE_TRANSACTION, Predictor
from swarmctl.prediction.pulls import pull_notices
from swarmctl.prediction.quorum import quorum_without
from swarmctl.swarm.constraints import label
from swarmctl.swarm.model import Network, Service
from swarmctl.swarm.node import Node

# A node is a hot spot when it ends up with this many times the average and gained this many tasks.
HOT, HOT_GAIN = 2.0, 3

# A service is uneven when its fullest and its emptiest node differ by this many tasks.
UNEVEN = 3

# Outcomes examined for hot spots and the like; more of them would add nothing.
EXAMINED = 200


def warnings(predictor: Predictor, prediction: Prediction) -> tuple[Notice, ...]:
    """All warnings about a prediction, the gravest first."""
    view = _View(predictor, prediction)
    return (
        *_managers(view),
        *_lost(view),
        *_deficits(view),
        *_left_behind(view),
        *_single_points(view),
        *pull_notices(predictor.swarm, prediction),
        *_addresses(view),
        *_preferences(view),
        *_shape(view),
        *_not_modelled(view),
    )


class _View:
    """What several warnings need."""

    def __init__(self, predictor: Predictor, prediction: Prediction) -> None:
        self.predictor = predictor
        self.prediction = prediction
        self.loss = prediction.loss
        swarm, nodes = predictor.swarm, predictor.nodes
        self.networks = swarm.networks
        self.lost = [n for n in nodes if n.name in self.loss.nodes]
        self.remaining = [n for n in nodes if n.name not in self.loss.nodes and not n.invalid]
        names = {*self.loss.moved, *self.loss.gone}
        self.affected = [s for s in swarm.services if s.name in names]

    def suited(self, service: Service) -> list[Node]:
        """The remaining nodes that could run the service if they had room."""
        nodes = self.predictor.nodes
        lost = {n.id for n in self.lost}
        suited = self.predictor.board.suited(service)
        return [nodes[i] for i in sorted(suited) if nodes[i].id not in lost]


def _managers(view: _View) -> Iterator[Notice]:
    lost = [n for n in view.lost if n.manager]
    if not lost:
        return
    left = quorum_without(view.predictor.swarm, {n.id for n in lost})
    remain = f"{left.remaining} of {left.managers} managers remain"
    if not left.kept:
        text = f"quorum is lost: {remain}, {left.needed} are needed; running tasks go on, but "
        yield Notice("quorum", f"{text}nothing is replaced")
        return
    if left.remaining == left.needed:
        yield Notice("quorum", f"{remain}: the loss of one more loses the quorum")
    if view.loss.leader:
        moved = sum(view.loss.moved.values())
        text = "the leader is lost: after the election the dead node is marked down only after "
        text += "42-58 s (heartbeat 5 s); nodes that are slow to register with the new leader get "
        text += "no replicas"
        if moved:
            text += f"; {_replicas(moved)} on the leader's node wait for that as well"
        yield Notice("leader", text, node=next(n.name for n in lost if n.leader))


def _lost(view: _View) -> Iterator[Notice]:
    for name, gone in view.loss.gone.items():
        yield Notice("policy", f"{name}: {_replicas(gone.count)} not replaced ({gone})", name)


def _deficits(view: _View) -> Iterator[Notice]:
    reasons = view.prediction.reasons
    for name, (_, most) in view.prediction.pending().items():
        reason = reasons.get(name, "")
        yield Notice("pending", f"{name}: {_replicas(most)} without a node: {reason}", name)
    for service in view.affected:
        nodes, wanted = len(view.suited(service)), service.replicas
        if service.host_ports and wanted > nodes:
            ports = ", ".join(f"{port}/{protocol}" for protocol, port in sorted(service.host_ports))
            text = f"{service.name}: host port {ports} is free once a node: {wanted} replicas, "
            yield Notice("host-port", f"{text}{_nodes(nodes)} for them", service.name)
        if service.max_replicas and wanted > nodes * service.max_replicas:
            text = f"{service.name}: at most {service.max_replicas} a node: {wanted} replicas, "
            yield Notice("max-replicas", f"{text}{_nodes(nodes)} for them", service.name)


def _left_behind(view: _View) -> Iterator[Notice]:
    on = ", ".join(n.name for n in view.lost)
    for service in view.affected:
        for mount in service.mounts:
            if not mount.stays_behind:
                continue
            if mount.kind == "bind":
                text = f"{service.name}: {mount.source} is a path on {on}: other nodes need it, "
                text += "with the same content"
                yield Notice("bind", text, service.name)
            else:
                volume = f"volume {mount.source}" if mount.source else "an anonymous volume"
                text = f"{service.name}: {volume} stays on {on}: the replacement starts with an "
                yield Notice("volume", f"{text}empty one", service.name)


def _single_points(view: _View) -> Iterator[Notice]:
    before = view.prediction.before
    for service in view.affected:
        running = sum(before.get(service.name, {}).values())
        rest = sum(n for on, n in before[service.name].items() if on not in view.loss.nodes)
        if running and not rest:
            text = f"{service.name}: all of its replicas ({running}) are lost at once: it is down "
            yield Notice("single-point", f"{text}until one runs again", service.name)
        suited = view.suited(service)
        if len(suited) == 1:
            text = f"{service.name}: only {suited[0].name} can run it afterwards"
            yield Notice("single-point", text, service.name, suited[0].name)
    for name in sorted(view.loss.moved):
        hosts = {tuple(o.counts.get(name, {})) for o in view.prediction.outcomes[:EXAMINED]}
        alone = [nodes[0] for nodes in hosts if len(nodes) == 1]
        outcome = view.prediction.outcomes[0].counts.get(name, {})
        if len(alone) == len(hosts) and sum(outcome.values()) > 1:
            text = f"{name}: all of its {sum(outcome.values())} replicas end up on one node"
            yield Notice("single-point", text, name, alone[0] if len(alone) == 1 else "")


def _addresses(view: _View) -> Iterator[Notice]:
    for network in view.networks:
        if network.driver != "overlay":
            continue
        needed = sum(view.loss.moved.get(s.name, 0) for s in view.affected if _uses(s, network))
        total = size(network)
        if not needed or not total:
            continue
        free = total - used(view.predictor.swarm, network)
        if free < needed:
            yield Notice(
                "addresses",
                f"network {network.name}: {needed} addresses needed, {max(0, free)} free; "
                "tasks of a dead node keep theirs until `docker node rm`, or for 24 h",
            )
        elif free - needed < max(needed, total // 10):
            text = f"network {network.name}: only {free - needed} of {total} addresses stay free"
            yield Notice("addresses", text)


def _uses(service: Service, network: Network) -> bool:
    return network.id in service.networks


def _preferences(view: _View) -> Iterator[Notice]:
    for service in view.affected:
        for descriptor in service.preferences:
            nodes = view.suited(service)
            without = [n.name for n in nodes if label(n, descriptor) == ""]
            if without and len(without) < len(nodes):
                yield Notice(
                    "preference",
                    f"{service.name}: {_some(without)} without the label {descriptor} form a "
                    'group of their own (""), with as large a share as each value of the label',
                    service.name,
                )


def _shape(view: _View) -> Iterator[Notice]:
    outcomes = view.prediction.outcomes[:EXAMINED]
    if not view.loss.quorum:
        return
    for service in view.affected:
        suited = {n.name for n in view.suited(service)}
        spans = [_span(o.counts.get(service.name, {}), suited) for o in outcomes]
        low, high = min(s[0] for s in spans), max(s[1] for s in spans)
        if len(suited) > 1 and min(s[1] - s[0] for s in spans) >= UNEVEN:
            text = f"{service.name}: uneven, {low} to {high} a node; Swarm does not rebalance"
            yield Notice("uneven", text, service.name)
    yield from _hot_spots(view)


def _span(counts: Mapping[str, int], among: set[str]) -> tuple[int, int]:
    found = [counts.get(name, 0) for name in among] or [0]
    return min(found), max(found)


def _hot_spots(view: _View) -> Iterator[Notice]:
    before = _totals(view.prediction.before)
    worst: dict[str, int] = {}
    for outcome in view.prediction.outcomes[:EXAMINED]:
        for node, count in _totals(outcome.counts).items():
            worst[node] = max(worst.get(node, 0), count)
    average = sum(worst.values()) / max(1, len(view.remaining))
    for node, count in sorted(worst.items(), key=lambda item: -item[1])[:3]:
        if count >= HOT * average and count - before.get(node, 0) >= HOT_GAIN:
            text = f"{node}: up to {count} tasks; the average is {average:.0f}"
            yield Notice("hot-spot", text, node=node)


def _totals(counts: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for per_node in counts.values():
        for node, count in per_node.items():
            totals[node] = totals.get(node, 0) + count
    return totals


def _not_modelled(view: _View) -> Iterator[Notice]:
    for service in view.affected:
        if any(mount.kind == "cluster" for mount in service.mounts):
            text = f"{service.name}: the prediction ignores cluster (CSI) volumes"
            yield Notice("csi", text, service.name)
        if service.update_state in ("updating", "rollback_started"):
            text = f"{service.name}: the prediction ignores the update under way"
            yield Notice("update", text, service.name)
    moved = sum(view.loss.moved.values())
    if moved > ONE_TRANSACTION:
        yield Notice(
            "batches",
            f"{moved} replicas are replaced in several transactions; the scheduler may place them "
            "in several batches, but the outcomes show placement in one",
        )


def _replicas(count: int) -> str:
    return "1 replica" if count == 1 else f"{count} replicas"


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
