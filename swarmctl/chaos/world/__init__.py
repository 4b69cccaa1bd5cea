"""The world an experiment acts on: small protocols, and the real thing."""
