"""Autolocked managers: where the unlock key is stored, and how a locked manager gets it."""
