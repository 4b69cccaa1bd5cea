"""Patches for moto 5.2.5's listeners: their ports and certificates."""

from __future__ import annotations

from typing import Any

from moto.acm.models import AWSCertificateManagerBackend
from moto.core.exceptions import AWSError
from moto.elbv2.exceptions import DuplicateListenerError, ELBClientError
from moto.elbv2.models import ELBv2Backend, elbv2_backends
from moto.iam.exceptions import DeleteConflictException
from moto.iam.models import IAMBackend

from swarmctl.lab.balancer.elbv2 import is_port


def apply() -> None:
    """Patch moto in this process."""
    _listeners_need_a_port_of_their_own()
    _listeners_of_https_have_a_certificate()
    _used_certificates_cannot_be_deleted()


def _listeners_need_a_port_of_their_own() -> None:
    """moto looks for the port among the listeners' ARNs, so it accepts a port twice, and any.

    Can be removed when ``create_listener`` and ``modify_listener`` compare ports.
    """
    create, modify = ELBv2Backend.create_listener, ELBv2Backend.modify_listener

    def check(balancer: Any, port: Any, own: str = "") -> None:
        if not is_port(port):
            raise ELBClientError("ValidationError", f"The port '{port}' is not valid")
        if any(li.arn != own and int(li.port) == int(port) for li in balancer.listeners.values()):
            raise DuplicateListenerError

    def create_listener(
        self: Any, load_balancer_arn: str, protocol: str, port: Any, *args: Any, **kwargs: Any
    ) -> Any:
        if port is not None and (balancer := self.load_balancers.get(load_balancer_arn)):
            check(balancer, port)
        return create(self, load_balancer_arn, protocol, port, *args, **kwargs)

    def modify_listener(self: Any, arn: str, port: Any = None, *args: Any, **kwargs: Any) -> Any:
        if port is not None:
            (listener,) = self.describe_listeners(None, [arn])
            check(self.load_balancers[listener.load_balancer_arn], port, own=arn)
        return modify(self, arn, port, *args, **kwargs)

    ELBv2Backend.create_listener = create_listener  # type: ignore[method-assign]  # patch
    ELBv2Backend.modify_listener = modify_listener  # type: ignore[method-assign]  # patch


def _listeners_of_https_have_a_certificate() -> None:
    """moto makes a listener of HTTPS without one.

    Can be removed when ``create_listener`` refuses it.
    """
    original = ELBv2Backend.create_listener

    def create_listener(self: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("protocol") == "HTTPS":
            certificate = kwargs.get("certificate")
            if not certificate:
                why = "A certificate must be specified for HTTPS listeners"
                raise ELBClientError("ValidationError", why)
            if not self._certificate_exists(certificate):
                why = f"Certificate '{certificate}' not found"
                raise ELBClientError("CertificateNotFound", why)
        return original(self, *args, **kwargs)

    ELBv2Backend.create_listener = create_listener  # type: ignore[method-assign]  # patch


class _InUseError(AWSError):
    TYPE = "ResourceInUseException"


def _used_certificates_cannot_be_deleted() -> None:
    """moto deletes certificates of ACM and IAM that listeners have.

    Can be removed when it refuses to.
    """
    delete_acm = AWSCertificateManagerBackend.delete_certificate
    delete_iam = IAMBackend.delete_server_certificate

    def delete_certificate(self: Any, arn: str) -> None:
        if _used(self.account_id, arn):
            raise _InUseError(f"Certificate {arn} is in use by a listener")
        delete_acm(self, arn)

    def delete_server_certificate(self: Any, name: str) -> None:
        arns = [c.arn for c in self.certificates.values() if c.cert_name == name]
        if any(_used(self.account_id, arn) for arn in arns):
            raise DeleteConflictException(f"Certificate {name} is in use by a listener")
        delete_iam(self, name)

    AWSCertificateManagerBackend.delete_certificate = delete_certificate  # type: ignore[method-assign]  # patch
    IAMBackend.delete_server_certificate = delete_server_certificate  # type: ignore[method-assign]  # patch


def _used(account: str, certificate: str) -> bool:
    return any(
        certificate in listener.certificates and listener.protocol in ("HTTPS", "TLS")
        for backend in elbv2_backends[account].values()
        for balancer in backend.load_balancers.values()
        for listener in balancer.listeners.values()
    )
