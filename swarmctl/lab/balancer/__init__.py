"""Application load balancers of the lab: the API's state, carried out by HAProxy on machines."""
