"""Publishes behind an application load balancer: target groups, listener rules, targets."""
