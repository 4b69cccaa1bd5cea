"""What a listener listens on and a target is reached at: checked, and never in plain text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from swarmctl.lab.api import Api
from tests.unit.lab.balancer.conftest import NOT_FOUND
from tests.unit.lab.test_roles import service


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


def test_https_needs_a_certificate_that_stays(
    api: Api, elb: Any, endpoint: str, balancer: dict[str, Any]
) -> None:
    """Broken: the listener answers in plain text."""
    words = {"Protocol": "HTTPS", "Port": 443, "DefaultActions": [NOT_FOUND]}
    words["LoadBalancerArn"] = balancer["LoadBalancerArn"]
    with pytest.raises(ClientError, match="certificate must be specified"):
        elb.create_listener(**words)
    acm = service("acm", endpoint)
    iam = service("iam", endpoint)
    certificate, key = pair()
    arn = acm.import_certificate(Certificate=certificate, PrivateKey=key)["CertificateArn"]
    iam.upload_server_certificate(
        ServerCertificateName="old", CertificateBody=certificate, PrivateKey=key
    )
    old = iam.get_server_certificate(ServerCertificateName="old")["ServerCertificate"]
    old_arn = old["ServerCertificateMetadata"]["Arn"]
    made = [
        elb.create_listener(**words | {"Port": port}, Certificates=[{"CertificateArn": each}])
        for port, each in ((443, arn), (444, old_arn))
    ]
    with pytest.raises(ClientError, match="ResourceInUseException"):
        acm.delete_certificate(CertificateArn=arn)
    with pytest.raises(ClientError, match="DeleteConflict"):
        iam.delete_server_certificate(ServerCertificateName="old")

    def ports() -> list[int]:
        (found,) = (b for b in api.view().balancers if b.name == "app")
        return [li.port for li in found.listeners]

    assert ports() == [443, 444]
    first = made[0]["Listeners"][0]["ListenerArn"]
    elb.remove_listener_certificates(ListenerArn=first, Certificates=[{"CertificateArn": arn}])
    assert ports() == [444]
    acm.delete_certificate(CertificateArn=arn)
    elb.delete_listener(ListenerArn=made[1]["Listeners"][0]["ListenerArn"])
    iam.delete_server_certificate(ServerCertificateName="old")


def pair() -> tuple[str, str]:
    """A certificate that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "app.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    return made.public_bytes(pem).decode(), key.private_bytes(pem, form, plain).decode()
