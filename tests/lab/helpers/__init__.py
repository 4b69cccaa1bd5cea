"""What single lab tests need: a stack of their own, a registry, drawn Swarms."""
