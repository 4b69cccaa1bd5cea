"""The instance metadata service (IMDS): what a machine can ask about itself at 169.254.169.254."""
