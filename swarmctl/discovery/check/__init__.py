"""Whether the Swarm, the Consul API, DNS and a real request agree."""
