"""From snapshots to a verdict: typed judgement, typed reasons, and their wording."""
