"""Upgrading the Engine of every node: which nodes together, in which order, and their return."""
