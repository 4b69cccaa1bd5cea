"""Where boto3 takes region and credentials from, and how often this process has called AWS."""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import boto3

# Requests that were sent, with repeated ones, as ``servicediscovery.RegisterInstance``.
calls: Counter[str] = Counter()


def aws_session(region: str | None = None) -> boto3.Session:
    """A session for the environment's credentials; its calls are counted.

    boto3 reads ``AWS_DEFAULT_REGION`` only; Ansible and the AWS CLI prefer ``AWS_REGION``.

    Args:
        region: overrides the environment's.
    """
    session = boto3.Session(region_name=region or os.environ.get("AWS_REGION") or None)
    session.events.register("before-send", _count)
    return session


def _count(event_name: str, **_: Any) -> None:
    calls[event_name.removeprefix("before-send.")] += 1
