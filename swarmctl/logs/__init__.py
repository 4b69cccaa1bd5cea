"""The lines that the replicas of services write, from wherever they are kept."""
