"""Finding and mending what runs left behind."""
