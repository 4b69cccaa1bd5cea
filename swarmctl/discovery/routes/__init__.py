"""What labels say about a load balancer. Pure."""
