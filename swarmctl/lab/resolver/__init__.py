"""The resolver at a VPC's second address: private hosted zones, Cloud Map, EC2's own names."""
