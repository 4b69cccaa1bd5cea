"""What Swarm would do if nodes were lost."""
