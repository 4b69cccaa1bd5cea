"""Why a run is refuted, as data; ``words`` puts it into sentences."""

from __future__ import annotations

from dataclasses import dataclass

# -- why replicas of a service are missing, or do not count ---------------------------------------


@dataclass(frozen=True, slots=True)
class Missing:
    """Replicas that do not serve, with the Swarm's explanation (``swarm.missing``)."""

    explanation: str


@dataclass(frozen=True, slots=True)
class NoProof:
    """A running task that does not show that the Swarm recovered.

    Args:
        task_id: its id.
        early_s: so many seconds before the fault it was created; ``None`` if that is not known.
        existed: whether it is one of the tasks from before the fault.
    """

    task_id: str
    early_s: float | None = None
    existed: bool = False


@dataclass(frozen=True, slots=True)
class Scaled:
    """Somebody changed the number of replicas during the run."""

    before: int
    after: int


@dataclass(frozen=True, slots=True)
class Removed:
    """Somebody removed the service during the run."""


Cause = Missing | NoProof | Scaled | Removed


# -- why a run is refuted -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shortage:
    """A service that is not at full strength, or was changed during the run."""

    service: str
    serving: int
    wanted: int
    causes: tuple[Cause, ...] = ()


@dataclass(frozen=True, slots=True)
class TargetUp:
    """A target that the managers do not call Down."""

    node: str


@dataclass(frozen=True, slots=True)
class ManagersSilent:
    """No manager answered at the end, though other nodes or probes did."""

    error: str


@dataclass(frozen=True, slots=True)
class CutOff:
    """Nothing answered here: it may have been this machine that was cut off."""

    at_s: float  # since the fault
    lasted_s: float


@dataclass(frozen=True, slots=True)
class FaultUnfinished:
    """The fault had not had its full effect: a reboot was not over, a partition not in force.

    Args:
        returns: whether its effect is that the nodes come back; then they did not.
    """

    returns: bool = False


@dataclass(frozen=True, slots=True)
class TooLate:
    """Full strength came after the time allowed."""

    took_s: float
    within_s: float


@dataclass(frozen=True, slots=True)
class EndpointSilent:
    """A probed endpoint without a good answer since full strength."""

    endpoint: str  # with its error


@dataclass(frozen=True, slots=True)
class BelowMinimum:
    """Fewer replicas served at one moment than the hypothesis allows."""

    service: str
    serving: int
    minimum: int
    at_s: float  # since the fault


@dataclass(frozen=True, slots=True)
class ProbesLost:
    """More probes failed than the hypothesis allows."""

    service: str
    success: float  # share of good answers, 0 to 1
    sent: int
    minimum: float


@dataclass(frozen=True, slots=True)
class OutageTooLong:
    """A longer stretch without a good answer than the hypothesis allows."""

    service: str
    outage_s: float
    allowed_s: float


@dataclass(frozen=True, slots=True)
class Unwatched:
    """A stretch in which nobody observed the Swarm, and less may have served than is allowed."""

    service: str
    kept: int  # replicas that certainly served
    minimum: int
    at_s: float  # since the fault
    lasted_s: float


@dataclass(frozen=True, slots=True)
class FaultEnded:
    """The fault was not in force until the end of the observation."""

    what: str
    at_s: float  # since the fault


@dataclass(frozen=True, slots=True)
class FaultUnseen:
    """Nobody could see whether the fault was in force as long as it should be."""

    lasted_s: float
    wanted_s: float


@dataclass(frozen=True, slots=True)
class Updated:
    """Another client updated a service during the run: its new tasks show no recovery."""

    what: str


@dataclass(frozen=True, slots=True)
class NeverBack:
    """A replica that Swarm will not start again, however long one waits."""

    service: str
    where: str
    why: str


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Full strength did not last."""

    lasted_s: float
    wanted_s: float


@dataclass(frozen=True, slots=True)
class Outlived:
    """A replica failed in this run after a longer life than full strength was watched."""

    service: str
    lived_s: float
    watched_s: float


@dataclass(frozen=True, slots=True)
class NotBack:
    """Not every replica served after the revert."""

    error: str


Reason = (
    Shortage
    | TargetUp
    | ManagersSilent
    | CutOff
    | FaultUnfinished
    | TooLate
    | EndpointSilent
    | BelowMinimum
    | ProbesLost
    | OutageTooLong
    | NotBack
    | Outlived
    | Unwatched
    | FaultEnded
    | FaultUnseen
    | Updated
    | NeverBack
    | Unsettled
)


def refutes(reason: Reason) -> bool:
    """Whether a reason shows that the hypothesis is wrong; else it shows nothing either way."""
    match reason:
        case FaultUnfinished(returns):
            return returns
        case Unwatched() | CutOff() | FaultEnded() | FaultUnseen() | Updated() | Outlived():
            return False
        case Shortage(causes=causes) if causes:
            return any(not isinstance(cause, Scaled | Removed) for cause in causes)
        case _:
            return True
