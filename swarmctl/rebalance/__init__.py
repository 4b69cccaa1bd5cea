"""Spreading replicas again after a node has come back, without ever running fewer than wanted."""
