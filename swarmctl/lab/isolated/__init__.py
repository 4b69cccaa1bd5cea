"""A machine of no lab: it is on no network."""
