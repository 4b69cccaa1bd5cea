"""Stacks: rendering, and waiting until what was deployed really runs."""
