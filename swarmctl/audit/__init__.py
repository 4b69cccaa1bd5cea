"""Will it still fail over at 3 a.m.? What a Swarm that looks healthy lacks for it."""
