"""What the lab's API asks of the computer it runs on; tests give other answers."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Computer:
    """Three questions.

    ``console``: instance id → console output of its machine. ``conflict``: CIDR → why a VPC cannot
    have it, or ``""``. ``no_room``: number of machines wanted, and the ids of the instances that
    are starting → why they do not fit, or ``""``.
    """

    console: Callable[[str], str]
    conflict: Callable[[str], str]
    no_room: Callable[[int, Collection[str]], str]
