"""A served API of the lab, without machines."""

import threading
from typing import TYPE_CHECKING

import boto3
import pytest

from swarmctl.lab.api import Api
from swarmctl.lab.host.computer import Computer

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

TAKEN, ROOM = "10.99.0.0/16", 20
KEY_ID, SECRET = "LABKEY", "the lab's secret"


@pytest.fixture(scope="session")
def changed() -> threading.Event:
    return threading.Event()


@pytest.fixture(scope="session")
def api(changed: threading.Event) -> Api:
    computer = Computer(
        console=lambda instance: f"console of {instance}\x1b[31m",
        conflict=lambda cidr: f"{cidr} is in use" if cidr == TAKEN else "",
        no_room=lambda wanted, _: f"no room for {wanted}" if wanted > ROOM else "",
    )
    return Api(computer, changed, limited=False)


@pytest.fixture(scope="session")
def endpoint(api: Api) -> str:
    return f"http://127.0.0.1:{api.serve(0, KEY_ID, SECRET)}"


@pytest.fixture(scope="session")
def ec2(endpoint: str) -> "EC2Client":
    return client(endpoint)


def client(endpoint: str, key_id: str = KEY_ID, secret: str = SECRET) -> "EC2Client":
    return boto3.client(
        "ec2",
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
    )
