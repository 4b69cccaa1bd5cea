"""Whether the network lets the Swarm and its services work: rules, paths, published ports."""
