"""Network interfaces that outlive their instance, as EC2 has them."""
