"""SwarmKit's scheduling as pure functions over the model; each module names what it models."""
