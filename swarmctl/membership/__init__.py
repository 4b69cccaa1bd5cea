"""Nodes leave the Swarm: in which order, whether the quorum allows it, and step by step."""
