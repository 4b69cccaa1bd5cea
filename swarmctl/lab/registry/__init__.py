"""The lab's ECR: a registry whose images and tags are those of the API, and whose tokens end."""
