"""Where boto3 takes region and credentials from, and how often this process has called AWS."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import boto3
import botocore.config
import botocore.exceptions

from swarmctl.cloud.words import MAX_REASON, CloudError, errors_in_words
from swarmctl.reading.texts import one_line

# Requests that were sent, with repeated ones, as ``servicediscovery.RegisterInstance``.
calls: Counter[str] = Counter()


def aws_session(region: str | None = None) -> boto3.Session:
    """A session for the environment's credentials; its calls are counted.

    boto3 reads ``AWS_DEFAULT_REGION`` only; Ansible and the AWS CLI prefer ``AWS_REGION``.

    Args:
        region: overrides the environment's.

    Raises:
        CloudError: the environment's profile cannot be used, or no region is configured.
    """
    try:
        session = boto3.Session(region_name=region or os.environ.get("AWS_REGION") or None)
    except botocore.exceptions.BotoCoreError as fault:  # a profile that is in no file, for example
        raise CloudError(
            f"the AWS configuration cannot be used: {one_line(str(fault), MAX_REASON)}",
            "check AWS_PROFILE; aws configure list-profiles names those that exist",
        ) from fault
    if session.region_name is None:
        raise CloudError(
            "no AWS region is set",
            'export AWS_REGION=eu-central-1; or, for the lab: eval "$(swarmctl lab env)"',
        )
    session.events.register("before-send", _count)
    return session


def aws_client(session: boto3.Session, api: str, config: botocore.config.Config) -> Any:
    """The session's client of an API.

    Raises:
        CloudError: the environment has no usable endpoint or credentials.
    """
    untyped: Any = session  # its types know each API by its literal name only
    with errors_in_words("AWS"):
        try:
            return untyped.client(api, config=config)
        except ValueError as fault:
            raise CloudError(
                f"the AWS endpoint cannot be used: {one_line(str(fault), MAX_REASON)}",
                "check AWS_ENDPOINT_URL; it is a URL such as http://127.0.0.1:5000",
            ) from fault


def _count(event_name: str, **_: Any) -> None:
    calls[event_name.removeprefix("before-send.")] += 1
