"""``swarmctl stack``."""
