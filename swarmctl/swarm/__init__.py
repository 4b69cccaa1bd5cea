"""What a Swarm is, and how to look at one."""
