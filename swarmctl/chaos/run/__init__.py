"""Carrying out an experiment, and undoing it."""
