"""instance-stop: stop the EC2 instance, as a person in the console would."""

from __future__ import annotations

from swarmctl.chaos.fault.kind import Effect, Kind
from swarmctl.chaos.fault.power_fault import STARTED_AGAIN, PowerFault
from swarmctl.chaos.fault.registry import fault


@fault(
    Kind(
        "instance-stop",
        summary="StopInstances: a clean shutdown of the machine; --force cuts its power",
        undo=STARTED_AGAIN,
        effect=Effect.DOWN,
        past_tense="was lost",
        option_names=("force",),
        stops=True,
    )
)
class InstanceStop(PowerFault):
    """A clean shutdown, or with ``force`` a power cut."""

    @property
    def force(self) -> bool:
        """See :class:`PowerFault`."""
        return self.context.options.force
