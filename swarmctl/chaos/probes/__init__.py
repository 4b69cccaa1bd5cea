"""Probes: requests sent while a fault is in force, to see whether services answer."""
