"""Whether the role behind a key may make a call, from the policies in moto's state.

The caller holds the API's lock.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from types import SimpleNamespace

from swarmctl.lab.access.api_error import ApiError
from swarmctl.lab.access.call import Call
from swarmctl.lab.access.keys import Key
from swarmctl.lab.access.policies import Context, Verdict, judge
from swarmctl.lab.access.resources import created, resources

# What a service does in the caller's name, so that the caller needs these permissions too.
# https://docs.aws.amazon.com/cloud-map/latest/dg/security-iam-awsmanpol.html
_DNS = (
    "route53:GetHostedZone",
    "route53:ListHostedZonesByName",
    "route53:ChangeResourceRecordSets",
)
_ALSO = {
    "servicediscovery:RegisterInstance": _DNS,
    "servicediscovery:DeregisterInstance": _DNS,
    "servicediscovery:CreatePrivateDnsNamespace": (
        "route53:CreateHostedZone",
        "ec2:DescribeVpcs",
        "ec2:DescribeRegions",
    ),
}
# To make a thing with tags, one must be allowed to tag it.
_TAGGING = {
    "elasticloadbalancing": "elasticloadbalancing:AddTags",
    "servicediscovery": "servicediscovery:TagResource",
    "ec2": "ec2:CreateTags",
    "ecr": "ecr:TagResource",
}


def require_permission(account: str, key: Key, call: Call) -> None:
    """Let the operator do everything, and a role what its policies allow.

    Raises:
        ApiError: in the words of the service.
    """
    if not key.role:
        return
    documents = tuple(_documents(account, key.role))
    for action, wanted, context in _needed(account, call):
        verdict = judge(documents, action, wanted, context)
        if verdict is not Verdict.ALLOWED:
            raise _denied(key.arn(account), call, action, wanted[0], verdict)


def _needed(account: str, call: Call) -> Iterator[tuple[str, tuple[str, ...], Context]]:
    named = resources(call, account)
    context = _context(account, call, named)
    # Nobody needs a permission to ask who he is.
    if call.name != "sts:GetCallerIdentity":
        yield call.name, named, context
    if call.tags() and call.action.startswith("Create") and call.service in _TAGGING:
        made = created(call, account)
        creates = {f"{call.service}:createaction": (call.action,)}
        yield _TAGGING[call.service], made, {**_context(account, call, made), **creates}
    for action in _ALSO.get(call.name, ()):
        yield action, (_zone(account, call) or "*",), {}


def _denied(caller: str, call: Call, action: str, resource: str, verdict: Verdict) -> ApiError:
    where = "" if resource == "*" else f" on resource: {resource}"
    message = (
        f"User: {caller} is not authorized to perform: {action}{where} "
        f"{verdict.value.format(action=action)}"
    )
    if call.service == "ec2":
        message = f"You are not authorized to perform this operation. {message}"
        return ApiError("UnauthorizedOperation", message)
    if call.as_json:
        return ApiError("AccessDeniedException", message, HTTPStatus.BAD_REQUEST)
    return ApiError("AccessDenied", message)


def _documents(account: str, role_name: str) -> Iterator[str]:
    from moto.iam.models import iam_backends

    role = next(
        (r for r in iam_backends[account]["aws"].roles.values() if r.name == role_name), None
    )
    if role is not None:
        yield from role.policies.values()
        for policy in role.managed_policies.values():
            yield next(v.document for v in policy.versions if v.is_default)


def _context(account: str, call: Call, named: Iterable[str]) -> Context:
    """The condition keys that are known of a call."""
    asked = call.tags()
    known: dict[str, tuple[str, ...]] = {
        "aws:requestedregion": (call.region,),
        **{f"aws:requesttag/{name.lower()}": (value,) for name, value in asked.items()},
        # Cloud Map's own; a call of another service has no such parameters.
        **{
            f"servicediscovery:{name.lower()}": (str(call.parameters[name]),)
            for name in ("NamespaceName", "ServiceName")
            if name in call.parameters
        },
    }
    if asked:
        known["aws:tagkeys"] = tuple(asked)
    for arn in named:
        for name, value in _tags(account, call, arn).items():
            for prefix in ("aws", call.service):
                known[f"{prefix}:resourcetag/{name.lower()}"] = (value,)
        for kind in ("service", "namespace"):
            if f":{kind}/" in arn:
                known[f"servicediscovery:{kind}arn"] = (arn,)
    return known


def _tags(account: str, call: Call, arn: str) -> dict[str, str]:
    from moto.backends import get_backend

    found: dict[str, str] = {}
    with contextlib.suppress(Exception):  # moto's own, of many kinds: there is no such resource
        if call.service == "elasticloadbalancing":
            found = get_backend("elbv2")[account][call.region].describe_tags([arn])[arn]
        elif call.service == "servicediscovery":
            listed = get_backend("servicediscovery")[account][call.region].list_tags_for_resource(
                arn
            )
            found = {tag["Key"]: tag["Value"] for tag in listed["Tags"]}
        elif call.service == "ecr":
            tags = get_backend("ecr")[account][call.region].list_tags_for_resource(arn)["tags"]
            found = {tag["Key"]: tag["Value"] for tag in tags}
        elif call.service == "ec2":
            mine: dict[str, list[str]] = {"resource-id": [arn.rpartition("/")[2]]}
            tags = get_backend("ec2")[account][call.region].describe_tags(mine)
            found = {tag["key"]: tag["value"] for tag in tags}
    return found


def _zone(account: str, call: Call) -> str:
    """The ARN of the hosted zone in which a service of Cloud Map has its records."""
    from moto.backends import get_backend

    cloud_map = get_backend("servicediscovery")[account][call.region]
    service = cloud_map.services.get(str(call.parameters.get("ServiceId")))
    namespace = cloud_map.namespaces.get(service.namespace_id) if service else None
    zone = namespace.dns_properties.get("HostedZoneId") if namespace else None
    return f"arn:aws:route53:::hostedzone/{zone}" if zone else ""


def announce(account: str, region: str, key: Key) -> None:
    """Let GetCallerIdentity know whose key it is."""
    from moto.sts.models import AssumedRole, sts_backends

    backend = sts_backends[account]["aws"]
    role = AssumedRole(
        account_id=account,
        region_name=region,
        access_key=SimpleNamespace(access_key_id=key.id, secret_access_key=key.secret),  # type: ignore[arg-type]  # all that is read of it
        role_session_name=key.session,
        role_arn=f"arn:aws:iam::{account}:role/{key.role}",
        policy="",
        duration=int(key.expires - key.issued),
        external_id="",
    )
    role.session_token = key.token
    backend.assumed_roles.append(role)
