"""New values for what keeps others out: tokens, certificates, unlock key, secrets, SSH key.

Each module rotates one thing. A rotation that was stopped goes on when it is given again, and
nothing else changes on the way: each compares the Swarm's spec before and after.
"""
