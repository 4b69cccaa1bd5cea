"""Whether what protects a cluster is set: ``swarmctl audit --security``; docs/security.md."""
