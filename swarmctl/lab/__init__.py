"""The lab: a local AWS whose EC2 instances are real machines.

Knows nothing of Swarm, stacks or chaos; and nothing outside this package knows of the lab.
"""
