"""Images in the lab's ECR."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import docker

from swarmctl.lab.image.recipes import image_tags
from tests.lab.support import Lab


@dataclass(frozen=True)
class Repository:
    """A repository of the lab's ECR.

    Attributes:
        lab: whose.
        engine: the host's, which pushes.
        name: of the repository.
        uri: how images in it are named.
    """

    lab: Lab
    engine: docker.DockerClient
    name: str
    uri: str

    def push(self, tag: str) -> None:
        """Push the lab's httpd, with the tag as a label, so that each tag is another image."""
        image = f"{self.uri}:{tag}"
        recipe = f"FROM {image_tags().httpd}\nLABEL version={tag}\n".encode()
        self.engine.images.build(fileobj=io.BytesIO(recipe), tag=image, rm=True)
        (token,) = self.lab.client("ecr").get_authorization_token()["authorizationData"]
        user, _, password = base64.b64decode(token["authorizationToken"]).decode().partition(":")
        auth = {"username": user, "password": password}
        try:
            for event in self.engine.api.push(image, stream=True, decode=True, auth_config=auth):
                assert "error" not in event, event
        finally:
            self.engine.images.remove(image, noprune=True)

    def remove(self) -> None:
        """Remove it with its images."""
        self.lab.client("ecr").delete_repository(repositoryName=self.name, force=True)


def repository(lab: Lab, engine: docker.DockerClient, name: str) -> Repository:
    """Make a repository."""
    made = lab.client("ecr").create_repository(repositoryName=name)["repository"]
    return Repository(lab, engine, name, made["repositoryUri"])
