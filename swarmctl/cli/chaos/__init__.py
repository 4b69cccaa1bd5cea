"""``swarmctl chaos``."""
