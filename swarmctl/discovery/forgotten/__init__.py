"""What the managers knew before and forgot: remembered, or read on the nodes."""
