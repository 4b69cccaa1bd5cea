"""A registry of images with TLS and a password, on the network of the lab's machines."""

from __future__ import annotations

import base64
import datetime
import io
import ipaddress
import json
import secrets
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

import bcrypt
import docker
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from docker.models.containers import Container

from swarmctl.lab.image.recipes import image_tags
from swarmctl.lab.machine import LAB_LABEL
from swarmctl.lab.network import network_name
from swarmctl.wait import wait_for
from tests.lab.support import CLUSTER, Lab

USER = "deployer"
PORT = 5000
_FILES = "/etc/docker/registry"


@dataclass(frozen=True)
class PrivateRegistry:
    """A registry that the nodes trust, but have no credentials for."""

    image: str
    password: str
    docker_config: Path
    container: Container

    def stop(self) -> None:
        """From now on it answers nobody."""
        self.container.stop(timeout=1)


@contextmanager
def private_registry(
    lab: Lab, engine: docker.DockerClient, folder: Path
) -> Iterator[PrivateRegistry]:
    """Run a registry with one image in it.

    Args:
        lab: whose machines are to reach it.
        engine: the host's, which runs the lab.
        folder: where the Docker configuration with the password is written.
    """
    vpc = lab.ec2.describe_vpcs(Filters=[{"Name": "tag:swarmctl:cluster", "Values": [CLUSTER]}])[
        "Vpcs"
    ][0]
    address = str(ip_network(vpc["CidrBlock"])[-6])  # no subnet of the playbooks is there
    host, password = f"{address}:{PORT}", secrets.token_hex(12)
    key, certificate = _certificate(address)
    container = engine.containers.create(
        image_tags().registry_server,
        name=f"swarmctl-{lab.env['SWARMCTL_LAB']}-private",
        labels={LAB_LABEL: lab.env["SWARMCTL_LAB"]},
        ports={f"{PORT}/tcp": ("127.0.0.1", 0)},
        environment={
            "REGISTRY_AUTH": "htpasswd",
            "REGISTRY_AUTH_HTPASSWD_REALM": "private",
            "REGISTRY_AUTH_HTPASSWD_PATH": f"{_FILES}/htpasswd",
            "REGISTRY_HTTP_TLS_CERTIFICATE": f"{_FILES}/tls.crt",
            "REGISTRY_HTTP_TLS_KEY": f"{_FILES}/tls.key",
        },
    )
    nodes = [node["name"] for node in lab.status()["nodes"]]
    try:
        network = engine.networks.get(network_name(lab.env["SWARMCTL_LAB"], vpc["VpcId"]))
        network.connect(container, ipv4_address=address)
        line = f"{USER}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()}\n"
        files = {"htpasswd": line.encode(), "tls.crt": certificate, "tls.key": key}
        container.put_archive(_FILES, _tar(files))
        container.start()
        _push(engine, _published(container), password)
        for node in nodes:
            trust = f"sudo mkdir -p /etc/docker/certs.d/{host}; " + (
                f"echo {base64.b64encode(certificate).decode()} | base64 -d "
                f"| sudo tee /etc/docker/certs.d/{host}/ca.crt >/dev/null"
            )
            done = lab.ssh(node, trust)
            assert done.returncode == 0, done.stderr
        entry = base64.b64encode(f"{USER}:{password}".encode()).decode()
        (folder / "config.json").write_text(json.dumps({"auths": {host: {"auth": entry}}}))
        yield PrivateRegistry(f"{host}/team/httpd:1", password, folder, container)
    finally:
        for node in nodes:
            lab.ssh(node, f"sudo rm -rf /etc/docker/certs.d/{host}")
        container.remove(force=True, v=True)


def _push(engine: docker.DockerClient, address: str, password: str) -> None:
    """Push the lab's httpd; Engine accepts any certificate on its own loopback addresses."""
    repository = f"{address}/team/httpd"
    engine.api.tag(image_tags().httpd, repository, "1")
    auth = {"username": USER, "password": password}

    def pushed() -> tuple[bool | None, str]:
        for event in engine.api.push(repository, "1", stream=True, decode=True, auth_config=auth):
            if "error" in event:
                return None, str(event["error"])
        return True, ""

    try:
        wait_for("the private registry to take an image", pushed, timeout=30)
    finally:
        engine.api.remove_image(f"{repository}:1", noprune=True)


def _published(container: Container) -> str:
    container.reload()
    bindings = container.ports[f"{PORT}/tcp"]
    assert bindings
    return f"127.0.0.1:{bindings[0]['HostPort']}"


def _certificate(address: str) -> tuple[bytes, bytes]:
    """A key, and a self-signed certificate for an address."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "private registry of a lab")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    return (
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        certificate.public_bytes(serialization.Encoding.PEM),
    )


def _tar(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
