"""Image registries: names of images, credentials, and the registry's own API."""
