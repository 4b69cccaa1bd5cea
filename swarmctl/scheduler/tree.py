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
from typing import Protocol

from swarmctl.scheduler.batch import Allocation, Kind, Picker

# The values of a node under each preference; also the name of a branch.
Path = tuple[str, ...]


@dataclass(slots=True)
class Branch:
    """A set of nodes; ``tasks`` is how many active tasks of the service they have."""

    path: Path = ()
    tasks: int = 0
    branches: dict[str, Branch] = field(default_factory=dict)

    def add(self, path: Path, tasks: int) -> None:
        """Count tasks in every branch along a path; branches that are missing are made."""
        branch = self
        branch.tasks += tasks
        for depth, value in enumerate(path, 1):
            branch = branch.branches.setdefault(value, Branch(path[:depth]))
            branch.tasks += tasks

    def plus(self, changes: Mapping[Path, int]) -> Branch:
        """A copy with further tasks counted; itself when there are none."""
        if not changes:
            return self
        copy = self._copy()
        for path, tasks in changes.items():
            copy.add(path, tasks)
        return copy

    def _copy(self) -> Branch:
        below = {value: branch._copy() for value, branch in self.branches.items()}
        return Branch(self.path, self.tasks, below)


def build(paths: Mapping[int, Path], active: Mapping[int, int]) -> Branch:
    """The tree of a service's preferences; of one branch when it has none.

    Args:
        paths: for every node its value for each preference; all of one length.
        active: active tasks of the service by node index.
    """
    root = Branch()
    for index, path in paths.items():
        root.add(path, active.get(index, 0))
    return root


class Nodes(Protocol):
    """The nodes of a Swarm as a batch sees them."""

    def best(self, path: Path, tasks: int) -> dict[int, Kind]:
        """The candidates of a leaf that so many tasks can reach."""

    def put(self, allocation: Allocation) -> None:
        """Count tasks that were just placed."""


# Places up to so many tasks on a leaf's nodes.
Leaf = Callable[[int, Mapping[int, Kind]], Allocation]


class Spread:
    """One run of a batch through the tree.

    Args:
        nodes: to place it on; they are changed.
        leaf: places tasks within one leaf; called anew for each visit.
        pick: decides which branch comes next.
    """

    def __init__(self, nodes: Nodes, leaf: Leaf, pick: Picker) -> None:
        self._nodes = nodes
        self._leaf = leaf
        self._pick = pick
        self._placed: dict[int, int] = {}
        self._left: int  # tasks of the group that are not placed yet

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
        tasks = min(wanted, self._left)
        done = self._leaf(tasks, self._nodes.best(branch.path, tasks))
        self._nodes.put(done)
        for index, amount in done:
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
