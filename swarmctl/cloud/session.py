"""Where boto3 takes region and credentials from."""

from __future__ import annotations

import os

import boto3


def aws_session(region: str | None = None) -> boto3.Session:
    """A session for the environment's credentials.

    boto3 reads ``AWS_DEFAULT_REGION`` only; Ansible and the AWS CLI prefer ``AWS_REGION``.

    Args:
        region: overrides the environment's.
    """
    return boto3.Session(region_name=region or os.environ.get("AWS_REGION") or None)
