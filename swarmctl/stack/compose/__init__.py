"""What ``docker stack`` reads."""
