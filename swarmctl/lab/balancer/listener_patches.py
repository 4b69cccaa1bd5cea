"""Patches for moto 5.2.5's listeners."""

from __future__ import annotations

from typing import Any

from moto.elbv2.exceptions import DuplicateListenerError, ELBClientError
from moto.elbv2.models import ELBv2Backend

from swarmctl.lab.balancer.elbv2 import is_port


def apply() -> None:
    """Patch moto in this process."""
    _listeners_need_a_port_of_their_own()


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
