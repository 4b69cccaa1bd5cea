"""What a listener listens on and a target is reached at."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.lab.balancer.conftest import NOT_FOUND


@pytest.mark.parametrize(
    "target",
    [
        {"Id": "10.45.1.9\n  server other 1.1.1.1:1", "Port": 80},
        {"Id": "10.45.1.999", "Port": 80},
        {"Id": "10.45.1.9", "Port": 99999},
    ],
)
def test_what_is_no_address_and_no_port_is_no_target(
    elb: Any, vpc: str, target: dict[str, Any]
) -> None:
    """Broken: it is written into the configuration of HAProxy as it is."""
    (made,) = elb.create_target_group(
        Name="addresses", Protocol="HTTP", Port=80, VpcId=vpc, TargetType="ip"
    )["TargetGroups"]
    arn = made["TargetGroupArn"]
    try:
        with pytest.raises(ClientError, match="ValidationError"):
            elb.register_targets(TargetGroupArn=arn, Targets=[target])
        elb.register_targets(TargetGroupArn=arn, Targets=[{"Id": "10.45.1.9"}])
    finally:
        elb.delete_target_group(TargetGroupArn=arn)


def test_a_listener_has_a_port_of_tcp(elb: Any, balancer: dict[str, Any], listener: str) -> None:
    words = {"Protocol": "HTTP", "DefaultActions": [NOT_FOUND]}
    arn = balancer["LoadBalancerArn"]
    with pytest.raises(ClientError, match="port '65536'"):
        elb.create_listener(LoadBalancerArn=arn, Port=65536, **words)
    with pytest.raises(ClientError, match="port '65536'"):
        elb.modify_listener(ListenerArn=listener, Port=65536)
