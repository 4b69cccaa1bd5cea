"""The page that shows the Swarm as it is: ``swarmctl web``."""
