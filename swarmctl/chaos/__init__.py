"""Chaos: take something away on purpose, prove that the Swarm recovers, put it back."""
