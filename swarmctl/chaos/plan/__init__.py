"""What an experiment is to do."""
