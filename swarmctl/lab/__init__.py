"""The lab: a local AWS whose EC2 instances are real machines.

It does not know about Swarm, stacks or chaos, and only the command line knows about the lab.
"""
