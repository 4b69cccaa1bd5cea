"""From a template and values to a compose file."""
