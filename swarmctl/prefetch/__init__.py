"""Puts the images of services on every node that may have to run them, before they are needed."""
