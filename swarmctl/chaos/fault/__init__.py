"""What every fault is made of. The faults themselves are in ``swarmctl.chaos.faults``."""
