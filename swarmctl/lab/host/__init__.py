"""What the lab needs from the machine it runs on: addresses, memory, kernel limits."""
