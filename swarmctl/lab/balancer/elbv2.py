"""Moto's load balancers as plain data."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from swarmctl.lab.balancer.model import (
    Condition,
    FixedResponse,
    Forward,
    HealthCheck,
    Listener,
    LoadBalancer,
    Redirect,
    Rewrite,
    Rule,
    Target,
    TargetGroup,
)

# An instance in another state has no machine that could answer.
_UP = ("pending", "running", "stopping")
_MACHINES = ("instance", "ip")


def balancers(backend: Any) -> Iterator[LoadBalancer]:
    """The application load balancers of a moto ``ELBv2Backend``."""
    instances = {i.id: i for i in backend.ec2_backend.all_instances()}
    for balancer in backend.load_balancers.values():
        if balancer.type == "application":
            yield LoadBalancer(
                id=balancer_id(balancer.arn),
                name=balancer.name,
                address=balancer.dns_name,
                vpc=balancer.vpc_id,
                groups=tuple(balancer.security_groups),
                listeners=tuple(_listeners(backend, balancer)),
                target_groups=tuple(
                    _target_group(backend.target_groups[arn], zones(balancer), instances)
                    for arn in sorted(groups_of(balancer))
                ),
                idle_s=int(balancer.attrs.get("idle_timeout.timeout_seconds", 60)),
            )


def balancer_id(arn: str) -> str:
    """The id of a load balancer's machine."""
    return f"lb-{arn.rpartition('/')[2]}"


def group_key(arn: str) -> str:
    """The name of a target group in HAProxy."""
    _, name, identity = arn.split("/")
    return f"{name}.{identity}"


def groups_of(balancer: Any, but: Any = None) -> set[str]:
    """The ARNs of the target groups that a load balancer's rules, but one, forward to."""
    rules = (r for li in balancer.listeners.values() for r in li.rules.values() if r is not but)
    return groups_in(action.data for rule in rules for action in rule.actions)


def groups_in(actions: Iterable[Mapping[str, Any]]) -> set[str]:
    """The ARNs of the target groups that actions forward to."""
    return {arn for action in actions for arn, _ in _weights(action)}


def balancer_of(backend: Any, group_arn: str) -> Any:
    """The load balancer that forwards to a target group, or ``None``."""
    found = (b for b in backend.load_balancers.values() if group_arn in groups_of(b))
    return next(found, None)


def zones(balancer: Any) -> set[str]:
    """The zones that a load balancer has a subnet in."""
    return {subnet.availability_zone for subnet in balancer.subnets}


def is_port(text: object) -> bool:
    """Whether a parameter of a request is a TCP port."""
    digits = str(text)
    return (
        len(digits) <= 5 and digits.isascii() and digits.isdecimal() and 1 <= int(digits) <= 65535
    )


def _listeners(backend: Any, balancer: Any) -> Iterator[Listener]:
    """By port; one of HTTPS that has no certificate (any more) is left out: never in plain text."""
    for listener in sorted(balancer.listeners.values(), key=lambda li: int(li.port)):
        https = listener.protocol == "HTTPS"
        certificates = tuple(_pems(backend, listener.certificates)) if https else ()
        if certificates or not https:
            rules = tuple(_rule(rule) for rule in listener.rules.values())
            yield Listener(int(listener.port), rules, certificates)


def _pems(backend: Any, arns: Iterable[str]) -> Iterator[str]:
    """Private key, certificate and chain of each, from ACM or IAM; one that is gone is left out."""
    from moto.acm.models import acm_backends
    from moto.iam.models import iam_backends

    acm = acm_backends[backend.account_id][backend.region_name]._certificates
    iam = iam_backends[backend.account_id][backend.partition]
    for arn in arns:
        if found := acm.get(arn):
            yield b"\n".join((found.key, found.cert, found.chain)).decode()
        elif server := iam.get_certificate_by_arn(arn):
            yield "\n".join((server.private_key, server.cert_body, server.cert_chain or ""))


def _rule(rule: Any) -> Rule:
    return Rule(
        action=_action(rule.actions[-1].data),  # those before it authenticate
        conditions=tuple(_condition(c) for c in rule.conditions),
        rewrites=tuple(_rewrite(t) for t in getattr(rule, "transforms", ())),
    )


def _action(data: Mapping[str, Any]) -> Forward | Redirect | FixedResponse:
    match data["Type"]:
        case "fixed-response":
            config = data["FixedResponseConfig"]
            return FixedResponse(
                int(config["StatusCode"]),
                config.get("ContentType", ""),
                config.get("MessageBody", ""),
            )
        case "redirect":
            config = data["RedirectConfig"]
            part = {"Protocol": "#{protocol}", "Host": "#{host}", "Port": "#{port}"} | config
            where = f"{part['Protocol'].lower()}://{part['Host']}:{part['Port']}"
            query = config.get("Query", "#{query}")
            path = config.get("Path", "/#{path}")
            return Redirect(
                f"{where}{path}" + (f"?{query}" if query else ""),
                int(config["StatusCode"].removeprefix("HTTP_")),
            )
    return Forward(tuple((group_key(arn), weight) for arn, weight in _weights(data)))


def _weights(data: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    groups = data.get("ForwardConfig", {}).get("TargetGroups", [])
    if not groups and "TargetGroupArn" in data:
        groups = [{"TargetGroupArn": data["TargetGroupArn"]}]
    for group in groups:
        yield group["TargetGroupArn"], int(group.get("Weight", 1))


def _condition(data: Mapping[str, Any]) -> Condition:
    field = data["Field"]
    name = "".join(part.capitalize() for part in field.split("-")) + "Config"
    config = data.get(name, {})
    if field == "query-string":
        pairs = tuple((pair.get("Key", ""), pair["Value"]) for pair in config["Values"])
        return Condition(field, pairs=pairs)
    values = tuple(config.get("Values") or data.get("Values", ()))
    return Condition(field, values, header=config.get("HttpHeaderName", ""))


def _rewrite(data: Mapping[str, Any]) -> Rewrite:
    config = data.get("UrlRewriteConfig") or data.get("HostHeaderRewriteConfig") or {}
    (rewrite,) = config["Rewrites"]
    return Rewrite(data["Type"], rewrite["Regex"], rewrite["Replace"])


def _target_group(group: Any, zones: set[str], instances: Mapping[str, Any]) -> TargetGroup:
    sticky = str(group.attributes.get("stickiness.enabled")) == "true"
    duration = group.attributes.get("stickiness.lb_cookie.duration_seconds", 86400)
    targets = []
    # The other types, Lambda functions and load balancers, have no address.
    registered = group.registrations.now(time.time()) if group.target_type in _MACHINES else ()
    for target in registered:
        address = target.id
        if target.id.startswith("i-"):
            instance = instances.get(target.id)
            if (
                instance is None
                or instance.state not in _UP
                or instance.placement.zone not in zones
            ):
                continue
            address = instance.private_ip
        targets.append(
            Target(target.name, address, target.port, target.since, bool(target.drains_until))
        )
    return TargetGroup(
        key=group_key(group.arn),
        check=HealthCheck(
            path=group.health_check_path or "/",
            port=str(group.health_check_port),
            tls=group.health_check_protocol == "HTTPS",
            codes=str((getattr(group, "matcher", None) or {}).get("HttpCode", "200")),
            interval=int(group.health_check_interval_seconds),
            timeout=int(group.health_check_timeout_seconds),
            healthy=int(group.healthy_threshold_count),
            unhealthy=int(group.unhealthy_threshold_count),
        ),
        targets=tuple(targets),
        tls=group.protocol == "HTTPS",
        algorithm=str(group.attributes.get("load_balancing.algorithm.type")),
        sticky_s=int(duration) if sticky else 0,
    )
