"""Push an image under its tags. The login goes to the Engine in the request, to no file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

import docker
import docker.errors
import requests

from swarmctl.errors import SwarmctlError
from swarmctl.images.home import Home
from swarmctl.reading.texts import one_line
from swarmctl.registry.reference import Reference

_MAX_REASON = 400

Note = Callable[[str], None]


class PushError(SwarmctlError):
    """An image was not pushed; the registry has nothing of it under the tag."""


def push(
    client: docker.DockerClient,
    local: str,
    target: Reference,
    home: Home,
    *,
    replace: bool = False,
) -> str:
    """Push an image, unless the registry has that tag; returns its digest.

    Args:
        client: this machine's Engine.
        local: the image's name or id there.
        target: the name with the tag to give it.
        home: the registry; a login that has ended is renewed.
        replace: push it also if the registry has another image under that tag.

    Raises:
        PushError: the registry or the Engine refused.
        RegistryError: the registry does not answer.
    """
    there = None if replace else home.api().digest(target)
    if there:
        return there
    name = target.name
    try:
        client.api.tag(local, name, target.tag)
        login = home.credentials()
        events = client.api.push(
            name,
            target.tag,
            stream=True,
            decode=True,
            # {} and not None: the SDK would look for a login of its own.
            auth_config=login.auth_config() if login else {},
        )
        return _digest(events, target)
    except (docker.errors.DockerException, requests.RequestException) as fault:
        raise refused(target, str(fault)) from fault
    finally:
        with suppress(docker.errors.DockerException, requests.RequestException):  # or it is gone
            client.api.remove_image(f"{name}:{target.tag}", noprune=True)


def _digest(events: Iterable[Mapping[str, Any]], target: Reference) -> str:
    digest = ""
    for event in events:
        if "error" in event:
            raise refused(target, str(event["error"]))
        digest = str((event.get("aux") or {}).get("Digest") or digest)
    if not digest:
        raise refused(target, "the Engine does not tell the digest")
    return digest


def refused(target: Reference, reason: str) -> PushError:
    """The error for a push that failed: what, where, why, and what to do."""
    said = one_line(reason, _MAX_REASON)
    advice = next((hint for pattern, hint in _ADVICE if re.search(pattern, said, re.I)), "")
    return PushError(
        f"{target} was not pushed: {said}",
        advice.format(host=target.host, repository=target.repository, tag=target.tag),
    )


_ADVICE = (
    (
        r"immutable|TAG_INVALID",
        "the repository keeps the image that it has under {tag}; a changed image has another tag",
    ),
    (
        r"repository.* does not exist|name.unknown",
        "make the repository first: ansible-playbook playbooks/images.yml",
    ),
    (r"expired|has ended", "a token is fetched for every push; is this machine's clock right?"),
    (
        r"unauthorized|authentication|denied|no basic auth|HTTP 40[13]",
        "is the password right, and "
        "may this user push? docker login {host}; for ECR the AWS credentials need "
        "ecr:GetAuthorizationToken and the ecr:…Layer… and ecr:PutImage rights",
    ),
    (
        r"no space left|quota|insufficient storage|HTTP status: 50[07]",
        "is the registry full? Its log tells; swarmctl image prune removes what no service uses",
    ),
    (
        r"server gave HTTP response to HTTPS",
        "Docker uses plain HTTP with addresses of this machine "
        "only; give the registry a certificate",
    ),
    (r"certificate|x509", "trust the registry's certificate: /etc/docker/certs.d/{host}/ca.crt"),
    (
        r"refused|no such host|timeout|timed out|unreachable|reset by peer|EOF",
        "does the registry {host} answer? curl -v https://{host}/v2/; then push again",
    ),
)
