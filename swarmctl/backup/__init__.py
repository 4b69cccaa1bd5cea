"""Copies of a Swarm's state, encrypted: taken, kept, checked, restored and proven."""
