"""What an experiment needs from the world, as small protocols.

Experiments, guards and faults use only these. ``swarmctl.chaos.world.live`` implements them for a
real cluster, and the unit tests by simple fakes in simulated time.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeAlias

from swarmctl.discovery.check.find import Choice
from swarmctl.discovery.check.source import Source
from swarmctl.discovery.listeners.load_balancer.urls import Url
from swarmctl.network import finding as network
from swarmctl.prediction import Prediction
from swarmctl.swarm.engine import Engine
from swarmctl.swarm.model import Swarm


class Machine(Protocol):
    """An EC2 instance of the cluster (see ``swarmctl.cloud.instances.Instance``)."""

    @property
    def id(self) -> str:
        """The instance id, ``i-…``."""

    @property
    def name(self) -> str:
        """The tag ``Name``, which is the node's hostname too."""

    @property
    def state(self) -> str:
        """``pending``, ``running``, ``stopping``, ``stopped``, ``shutting-down`` or later."""

    @property
    def private_ip(self) -> str | None:
        """The address the Swarm knows it under."""

    @property
    def address(self) -> str | None:
        """The address swarmctl connects to: public if there is one, else private."""

    @property
    def unstoppable(self) -> str:
        """Why it cannot be stopped and started again (a spot instance, …), or ``""``."""


class Ec2(Protocol):
    """The EC2 API, as far as chaos needs it."""

    def instances(self, cluster: str, /) -> Sequence[Machine]:
        """The cluster's instances, found by tag."""

    def stop(self, instance_id: str, force: bool = False, /) -> None:
        """Ask for a stop, clean or (``force``) by a hard power-off; returns once accepted."""

    def terminate(self, instance_id: str, /) -> None:
        """Request an instance's termination; returns once accepted."""

    def reboot(self, instance_id: str, /) -> None:
        """Ask for a restart of the machine; returns once accepted."""

    def start(self, instance_id: str, /) -> None:
        """Ask for a start; fails unless the instance is stopped."""

    def state(self, instance_id: str, /) -> str:
        """The instance's state at this moment."""


class Managers(Protocol):
    """The Swarm through whichever manager answers. All methods raise ``SwarmctlError``."""

    def snapshot(self) -> Swarm:
        """Everything the managers know now."""

    def now(self) -> datetime:
        """Current time on the manager that answers; the Engine's timestamps use its clock."""

    def avoid(self, addresses: Collection[str]) -> None:
        """Stop asking these managers, unless there are no others."""

    def predict(self, lost: Collection[str]) -> Prediction | None:
        """What will happen when these nodes (ids) are lost; ``None`` when nothing can be said."""

    @property
    def engine(self) -> Engine:
        """Plain requests to the manager that answers."""


class Shell(Protocol):
    """Commands on a node itself, over SSH."""

    def run(self, node: str, script: str, timeout_s: float = 20.0) -> str:
        """Run a POSIX shell script as root.

        Args:
            node: hostname.
            script: given to ``sh`` on its standard input, so it shows in no process list.
            timeout_s: timeout in seconds; the script may keep running on the node.

        Returns:
            Its standard output.

        Raises:
            SwarmctlError: no connection, no answer in time, or an exit status other than 0; the
                message ends with what it wrote to standard error.
        """

    def reachable(self, node: str) -> bool:
        """Whether the machine accepts a connection to its SSH port, within 0.3 s."""


class Clock(Protocol):
    """The run's own time."""

    @property
    def started_at(self) -> datetime:
        """When the run began, UTC."""

    def now(self) -> float:
        """Seconds since the run began; never jumps."""

    def pause(self, seconds: float, /) -> None:
        """Let time pass."""


class Events(Protocol):
    """Wakes the observer early when the Engine reports a change."""

    def wait(self, seconds: float) -> None:
        """Sleep this long, or until the managers report a change."""


class Progress(Protocol):
    """Shows what an experiment is doing. None of these may raise."""

    def step(self, title: str) -> None:
        """A phase begins."""

    def note(self, text: str) -> None:
        """Something happened that stays worth reading."""

    def status(self, text: str) -> None:
        """Show the current state; the next call overwrites it."""


class Cluster(Protocol):
    """A cluster, and connections to it (see ``swarmctl.chaos.world.live.LiveCluster``)."""

    @property
    def name(self) -> str:
        """Its EC2 tag."""

    @property
    def region(self) -> str:
        """Its AWS region."""

    @property
    def ec2(self) -> Ec2:
        """Its machines."""

    @property
    def shell(self) -> Shell:
        """Commands on its nodes."""

    def managers(self) -> Managers:
        """The managers that run now; raises ``SwarmctlError`` when none does."""

    def events(self) -> Events:
        """Wakes the observer early."""

    def engine(self) -> Engine:
        """Requests, each to a manager that runs at that moment."""

    def sources(self, choice: Choice, /) -> Sequence[Source]:
        """What names its endpoints and can be asked for them; raises ``SwarmctlError``."""

    def urls(self, swarm: Swarm, /) -> Mapping[str, Url]:
        """What users request of each service at its load balancer; raises ``SwarmctlError``."""

    def balanced(self, swarm: Swarm, /) -> Sequence[str]:
        """Published services that only the load balancer may reach; raises ``SwarmctlError``."""

    def network(
        self, swarm: Swarm, awaiting: Callable[[str], None], /
    ) -> Sequence[network.Finding]:
        """What is wrong with its network: security groups, paths between nodes, published ports.

        ``awaiting`` is told what does not answer yet.
        """

    def close(self) -> None:
        """End all connections."""


# Shows what will be done, a line for each target; raises InterruptedRunError if the user declines.
Consent: TypeAlias = Callable[[Sequence[str]], None]
