"""What the Consul API and DNS say of themselves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """Names that clients are configured with.

    Attributes:
        datacenter: the only one there is.
        domain: that DNS answers for, without dots at its ends.
        node: the name of this agent: the machine it runs on.
        version: of swarmctl.
    """

    datacenter: str = "dc1"
    domain: str = "consul"
    node: str = "swarmctl"
    version: str = ""
