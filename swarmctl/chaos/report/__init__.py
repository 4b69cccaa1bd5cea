"""Runs as pages, pictures and tables."""
