"""The values a stack is deployed with: given, recorded by the last deploy, or chosen."""
