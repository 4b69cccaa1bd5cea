"""Names and addresses of what serves in a Swarm, for clients outside its own networks."""
