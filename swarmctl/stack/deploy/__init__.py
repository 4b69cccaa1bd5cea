"""Deploying a stack, and taking it away."""
