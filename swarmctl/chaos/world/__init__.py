"""What an experiment needs from outside, and the real thing."""
