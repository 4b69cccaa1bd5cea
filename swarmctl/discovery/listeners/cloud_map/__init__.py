"""Publishes the catalogue in a Cloud Map namespace."""
