"""What a person sees of a playbook run: a line a step, the deploy's progress, and how it ended."""
