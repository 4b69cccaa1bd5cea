"""The lab's API can be counted and disturbed, as tests of clients need it."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.lab.support import NAME, Lab

pytestmark = pytest.mark.timeout(300)


def test_a_bad_minute_of_the_api_begins_and_ends(lab: Lab) -> None:
    """Broken: nobody knows what a client does when AWS fails."""
    client = lab.client("servicediscovery")
    done = lab.swarmctl(
        "lab", "fault", "--name", NAME, "--for", "5m", "--status", "500",
        "--service", "servicediscovery",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    try:
        with pytest.raises(ClientError, match="InternalServiceError"):
            client.list_namespaces()
        lab.ec2.describe_vpcs()
    finally:
        lab.swarmctl("lab", "fault", "--name", NAME, "--for", "0")
    client.list_namespaces()
    counted = json.loads(lab.swarmctl("lab", "calls", "--name", NAME, "--format", "json").stdout)
    rows = {(row["action"], row["outcome"]): row["number"] for row in counted["calls"]}
    assert rows["servicediscovery:ListNamespaces", "InternalServiceError"] > 1  # it was repeated
    assert rows["servicediscovery:ListNamespaces", "passed"] >= 1
    assert "calls in" in lab.swarmctl("lab", "status", "--name", NAME).stdout
