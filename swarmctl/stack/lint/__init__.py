"""``swarmctl stack lint``: what ``docker stack`` refuses, and what it takes but you will regret."""
