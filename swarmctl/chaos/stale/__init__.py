"""How long each listener (Consul API, DNS, Cloud Map, …) named endpoints that did not serve."""
