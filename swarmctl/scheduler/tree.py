"""A batch of equal tasks spread over the branches of placement preferences.

``scheduleNTasksOnSubtree`` (manager/scheduler/scheduler.go) over the tree of ``nodeset.go``: one
level a preference, one branch a label's value, nodes without the label in a branch ``""`` of their
own. Branches hold every node of the Swarm, eligible or not; a branch counts as full once it places
fewer tasks than it was asked to, and the counts it started with are not refreshed between passes.

Branches come in the order of a Go map. That matters only while there is a remainder to give away,
or while the tasks may run out; else one order stands for all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from swarmctl.scheduler.batch import Allocation, Kind, Picker


@dataclass(slots=True)
class Branch:
    """A set of nodes; ``tasks`` is how many active tasks of the service they have."""

    tasks: int = 0
    branches: dict[str, Branch] = field(default_factory=dict)
    nodes: list[int] = field(default_factory=list)  # of a leaf: candidates, by index


def build(paths: Mapping[int, Sequence[str]], active: Mapping[int, int]) -> Branch:
    """The tree of a service's preferences.

    Args:
        paths: for every node its value for each preference; all of one length.
        active: active tasks of the service by node index.
    """
    root = Branch()
    for index, path in paths.items():
        branch, count = root, active.get(index, 0)
        branch.tasks += count
        for value in path:
            branch = branch.branches.setdefault(value, Branch())
            branch.tasks += count
        branch.nodes.append(index)
    return root


# Places up to so many tasks on a leaf's nodes, given what they have by now.
Leaf = Callable[[int, Mapping[int, Kind]], Allocation]


class Spread:
    """One run of a batch through the tree.

    Args:
        nodes: rank and capacity of every candidate.
        leaf: places tasks within one leaf; called anew for each visit.
        pick: decides which branch comes next.
    """

    def __init__(self, nodes: Mapping[int, Kind], leaf: Leaf, pick: Picker) -> None:
        self._nodes = dict(nodes)
        self._leaf = leaf
        self._pick = pick
        self._placed: dict[int, int] = {}
        self._left = 0

    def place(self, tasks: int, root: Branch) -> Allocation:
        """Place a group of tasks; fewer than asked when no more fit."""
        self._left = tasks
        self._on(root, tasks)
        return tuple(sorted(self._placed.items()))

    def _on(self, branch: Branch, wanted: int) -> int:
        return (
            self._on_branches(branch, wanted) if branch.branches else self._on_leaf(branch, wanted)
        )

    def _on_leaf(self, branch: Branch, wanted: int) -> int:
        candidates = {i: self._nodes[i] for i in branch.nodes if i in self._nodes}
        done = self._leaf(min(wanted, self._left), candidates)
        for index, amount in done:
            (failures, of_service, total), capacity = self._nodes[index]
            rank = (failures, of_service + amount, total + amount)
            self._nodes[index] = (rank, capacity - amount)
            self._placed[index] = self._placed.get(index, 0) + amount
        count = sum(amount for _, amount in done)
        self._left -= count
        return count

    def _on_branches(self, branch: Branch, wanted: int) -> int:
        done, usable = 0, branch.tasks
        full: set[str] = set()
        moving = True
        while done != wanted and len(full) != len(branch.branches) and moving:
            share, extra = _divide(usable + wanted - done, len(branch.branches) - len(full))
            moving = False
            todo = [name for name in branch.branches if name not in full]
            while due := self._due(branch, todo, share, extra):
                name = due[self._next(branch, due, share, extra)]
                todo.remove(name)
                moving = True
                below = branch.branches[name]
                asked = share - below.tasks + (extra > 0)
                got = self._on(below, asked)
                if got < asked:
                    full.add(name)
                    usable -= below.tasks
                elif extra > 0:
                    extra -= 1
                done += got
        return done

    def _due(self, branch: Branch, todo: Sequence[str], share: int, extra: int) -> list[str]:
        """The branches of this pass that would be asked for something now."""
        return [
            name
            for name in todo
            if branch.branches[name].tasks < share
            or (branch.branches[name].tasks == share and extra > 0)
        ]

    def _next(self, branch: Branch, due: Sequence[str], share: int, extra: int) -> int:
        below = [branch.branches[name] for name in due]
        # A branch with branches of its own may place more than it is asked to.
        modest = not any(b.branches for b in below)
        enough = sum(share - b.tasks for b in below) <= self._left
        if len(due) == 1 or (extra == 0 and modest and enough):
            return 0
        return self._pick([1] * len(due))


def _divide(number: int, by: int) -> tuple[int, int]:
    """Quotient and remainder as Go has them: towards zero (the number may be negative)."""
    quotient = abs(number) // by
    quotient = quotient if number >= 0 else -quotient
    return quotient, number - quotient * by
