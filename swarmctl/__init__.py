"""swarmctl: knowledge about a Docker Swarm on EC2, and proof that it survives."""
