"""What is asked while a fault is in force."""
