"""What a snapshot lacks: host ports as the nodes know them, and events that announce a change."""
