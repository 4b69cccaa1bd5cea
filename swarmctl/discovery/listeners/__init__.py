"""Whoever publishes the catalogue: one interface, and a thread for each."""
