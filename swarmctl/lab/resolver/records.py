"""DNS records as Route 53 and Cloud Map keep them, and which of them one answer has. Pure."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

# https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/routing-policy-multivalue.html
MOST_MULTIVALUE = 8


class Policy(Enum):
    """How an answer is chosen among the members of a record set."""

    SIMPLE = "all values of one member"
    MULTIVALUE = "at most eight members at random"
    WEIGHTED = "one member by its weight"


@dataclass(frozen=True, slots=True)
class Member:
    """Values that are given together."""

    values: tuple[str, ...]  # as in a zone file
    ttl: int  # seconds
    weight: int = 1
    healthy: bool = True


@dataclass(frozen=True, slots=True)
class RecordSet:
    """All records of a name and type."""

    policy: Policy
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone that a VPC sees; names are in lower case and end with a dot."""

    name: str
    sets: Mapping[tuple[str, str], RecordSet]  # by name and type
    soa: str
    soa_ttl: int = 900  # seconds
    negative_ttl: int = 900  # seconds that "there is no such name" may be remembered


def absolute(name: str) -> str:
    """A name as zones have it: in lower case, with a dot at the end."""
    return f"{name.rstrip('.').lower()}." if name else ""


def chosen(records: RecordSet, dice: random.Random) -> Sequence[Member]:
    """The members that one answer has; where none is healthy, all count as healthy."""
    healthy = [m for m in records.members if m.healthy] or list(records.members)
    match records.policy:
        case Policy.MULTIVALUE:
            return dice.sample(healthy, min(len(healthy), MOST_MULTIVALUE))
        case Policy.WEIGHTED:
            weights = [m.weight for m in healthy]
            return dice.choices(healthy, weights if any(weights) else None)
    return healthy[:1]
