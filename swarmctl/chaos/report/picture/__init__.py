"""The picture of a run: state of the Swarm, replicas by node and by service, and probes."""
