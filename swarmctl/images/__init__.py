"""A stack's own images: built, pushed to a registry, listed and removed."""
