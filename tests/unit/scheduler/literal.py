"""SwarmKit's placement step by step, with its heap and its random maps: slow, obvious, separate.

An independent second model of manager/scheduler/{scheduler,nodeset,nodeheap,decision_tree}.go,
sharing nothing with the product's but the idea. It draws *one* outcome; drawn often enough, every
one must be among those that ``swarmctl.scheduler`` lists.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any


@dataclass
class Host:
    """A node: capacity is how many more tasks of each service it takes; None is no limit."""

    name: str
    ok: bool = True
    labels: tuple[str, ...] = ()
    cpu: int = 10**9
    counts: dict[str, int] = field(default_factory=dict)
    total: int = 0


@dataclass
class Group:
    """Tasks of one service that are scheduled together."""

    service: str
    tasks: int
    cpu: int = 0
    max_replicas: int = 0
    levels: int = 0  # of preferences, taken from the front of Host.labels


class Heap:
    """container/heap on a max-heap by ``less``, as nodeheap.go sets it up."""

    def __init__(self, less: Any) -> None:
        self.items: list[Host] = []
        self.length = 0
        self.less = less

    def _above(self, i: int, j: int) -> bool:
        return bool(self.less(self.items[j], self.items[i]))

    def up(self, j: int) -> None:
        while True:
            i = (j - 1) // 2
            if j == 0 or i == j or not self._above(j, i):
                return
            self.items[i], self.items[j] = self.items[j], self.items[i]
            j = i

    def down(self, i0: int, n: int) -> bool:
        i = i0
        while (left := 2 * i + 1) < n:
            j = left
            if left + 1 < n and self._above(left + 1, left):
                j = left + 1
            if not self._above(j, i):
                break
            self.items[i], self.items[j] = self.items[j], self.items[i]
            i = j
        return i > i0

    def push(self, host: Host) -> None:
        self.items.append(host)
        self.length += 1
        self.up(self.length - 1)

    def fix_first(self) -> None:
        if not self.down(0, self.length):
            self.up(0)

    def init(self) -> None:
        for i in range(self.length // 2 - 1, -1, -1):
            self.down(i, self.length)

    def pop(self) -> None:
        last = self.length - 1
        self.items[0], self.items[last] = self.items[last], self.items[0]
        self.down(0, last)
        self.length -= 1


@dataclass
class Tree:
    """decisionTree."""

    heap: Heap
    tasks: int = 0
    next: dict[str, Tree] = field(default_factory=dict)


def schedule(hosts: Sequence[Host], groups: Sequence[Group], rng: Random) -> dict[str, int]:
    """Place groups in random order on the hosts, which are changed; what is left of each."""
    order = list(groups)
    rng.shuffle(order)
    return {g.service: _Run(hosts, g, rng).go() for g in order}


class _Run:
    def __init__(self, hosts: Sequence[Host], group: Group, rng: Random) -> None:
        self.hosts, self.group, self.rng, self.left = hosts, group, rng, group.tasks

    def fits(self, h: Host) -> bool:
        g = self.group
        return (
            h.ok
            and (not g.cpu or g.cpu <= h.cpu)
            and not (g.max_replicas and h.counts.get(g.service, 0) >= g.max_replicas)
        )

    def less(self, a: Host, b: Host) -> bool:
        mine, other = a.counts.get(self.group.service, 0), b.counts.get(self.group.service, 0)
        return mine < other if mine != other else a.total < b.total

    def go(self) -> int:
        root = Tree(Heap(self.less))
        for h in self.rng.sample(list(self.hosts), len(self.hosts)):
            tree, count = root, h.counts.get(self.group.service, 0)
            for value in h.labels[: self.group.levels]:
                tree.tasks += count
                tree = tree.next.setdefault(value, Tree(Heap(self.less)))
            tree.tasks += count
            heap = tree.heap
            if heap.length < self.group.tasks:
                if self.fits(h):
                    heap.push(h)
            elif self.less(h, heap.items[0]) and self.fits(h):
                heap.items[0] = h
                heap.fix_first()
        self.subtree(self.group.tasks, root)
        return self.left

    def subtree(self, n: int, tree: Tree) -> int:
        if not tree.next:
            return self.on_nodes(n, self.ordered(tree.heap))
        done, usable, moving = 0, tree.tasks, True
        no_room: set[str] = set()
        while done != n and len(no_room) != len(tree.next) and moving:
            number, by = usable + n - done, len(tree.next) - len(no_room)
            share = int(number / by)
            rest = number - share * by
            moving = False
            for key in self.rng.sample(list(tree.next), len(tree.next)):
                sub = tree.next[key]
                if key in no_room:
                    continue
                if sub.tasks < share or (sub.tasks == share and rest > 0):
                    moving = True
                    ask = share - sub.tasks + (1 if rest > 0 else 0)
                    got = self.subtree(ask, sub)
                    if got < ask:
                        no_room.add(key)
                        usable -= sub.tasks
                    elif rest > 0:
                        rest -= 1
                    done += got
        return done

    def ordered(self, heap: Heap) -> list[Host]:
        if heap.length != len(heap.items):
            heap.items = [h for h in heap.items if self.fits(h)]
            heap.length = len(heap.items)
            heap.init()
        while heap.length:
            heap.pop()
        return heap.items

    def on_nodes(self, n: int, nodes: list[Host]) -> int:
        done, it, failed = 0, 0, set()
        if not nodes:
            return 0
        while self.left:
            h = nodes[it % len(nodes)]
            h.counts[self.group.service] = h.counts.get(self.group.service, 0) + 1
            h.total += 1
            h.cpu -= self.group.cpu
            self.left -= 1
            done += 1
            if done == n:
                return done
            if it + 1 < len(nodes):
                it += self.less(nodes[it + 1], h)
            else:
                it += 1
            start = it
            while it % len(nodes) in failed or not self.fits(nodes[it % len(nodes)]):
                failed.add(it % len(nodes))
                it += 1
                if it - start == len(nodes):
                    return done
        return done
