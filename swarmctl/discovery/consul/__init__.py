"""Consul's HTTP API and DNS, read-only, from the catalogue: for clients that know Consul."""
