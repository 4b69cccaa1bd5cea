"""Who calls the lab's AWS API, and which calls are allowed: keys, calls, policies, refusals."""
