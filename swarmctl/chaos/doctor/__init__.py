"""Finding and repairing what runs left behind."""
