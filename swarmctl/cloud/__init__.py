"""The machines under the Swarm, through the EC2 API."""
