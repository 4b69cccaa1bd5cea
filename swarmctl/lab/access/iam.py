"""Whether the role or user behind a key may make a call, from the policies in moto's state.

The caller holds the API's lock.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from http import HTTPStatus
from types import SimpleNamespace

from swarmctl.lab.access.api_error import ApiError
from swarmctl.lab.access.call import Call
from swarmctl.lab.access.keys import Key
from swarmctl.lab.access.lookups import passed_role, resolved
from swarmctl.lab.access.policies import Context, Verdict, judge
from swarmctl.lab.access.resources import created, made, resources

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
    "servicediscovery:DeleteNamespace": ("route53:DeleteHostedZone",),
}
# To make a thing with tags, one must be allowed to tag it.
_TAGGING = {
    "ecr:CreateRepository": "ecr:TagResource",
    "elasticloadbalancing:CreateListener": "elasticloadbalancing:AddTags",
    "elasticloadbalancing:CreateLoadBalancer": "elasticloadbalancing:AddTags",
    "elasticloadbalancing:CreateRule": "elasticloadbalancing:AddTags",
    "elasticloadbalancing:CreateTargetGroup": "elasticloadbalancing:AddTags",
    "iam:CreateInstanceProfile": "iam:TagInstanceProfile",
    "iam:CreateRole": "iam:TagRole",
    "logs:CreateLogGroup": "logs:TagResource",
    "servicediscovery:CreatePrivateDnsNamespace": "servicediscovery:TagResource",
    "servicediscovery:CreateService": "servicediscovery:TagResource",
    "ssm:PutParameter": "ssm:AddTagsToResource",
}
_GIVES_TAGS = ("CreateTags", "DeleteTags")  # in EC2, to what exists


def require_permission(account: str, key: Key, call: Call) -> None:
    """Let the operator do everything, and a role or user what its policies allow.

    Raises:
        ApiError: in the words of the service.
    """
    if not key.limited:
        return
    documents = tuple(_documents(account, key))
    for action, wanted, context in _needed(account, call):
        verdict = judge(documents, action, [wanted], context)
        if verdict is not Verdict.ALLOWED:
            raise _denied(key.arn(account), call, action, wanted, verdict)


def _needed(account: str, asked: Call) -> Iterator[tuple[str, str, Context]]:
    """Each action, resource and what conditions can ask for: AWS judges resource by resource."""
    # Nobody needs a permission to ask who they are.
    if asked.name == "sts:GetCallerIdentity":
        return
    call = resolved(account, asked)
    new = made(call, account)
    named = resources(call, account)
    for arn in () if new and named == ("*",) else named:
        yield call.name, arn, _context(account, call, arn)
    for arn, tagged in new.items():
        context = _made_context(call) if tagged else _plain_context(call)
        yield call.name, arn, context
        if tagged:
            yield "ec2:CreateTags", arn, {**context, "ec2:createaction": (call.action,)}
    if call.tags() and call.name in _TAGGING:
        creates = {f"{call.service}:createaction": (call.action,)}
        for arn in created(call, account):
            yield _TAGGING[call.name], arn, {**_context(account, call, arn), **creates}
    if role := passed_role(account, call):
        to = {"iam:passedtoservice": ("ec2.amazonaws.com",)}
        yield "iam:PassRole", f"arn:aws:iam::{account}:role/{role}", to
    for action in _ALSO.get(call.name, ()):
        at_home = action.startswith("ec2:")
        region = call.region if at_home else "us-east-1"  # where AWS has its global services
        resource = "*" if at_home else _zone(account, call) or "*"
        yield action, resource, {"aws:requestedregion": (region,)}


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


def _documents(account: str, key: Key) -> Iterator[str]:
    from moto.iam.models import iam_backends

    iam = iam_backends[account]["aws"]
    everybody = iam.roles if key.role else iam.users
    for who in [found for found in everybody.values() if found.name == key.limited]:
        yield from who.policies.values()
        for policy in who.managed_policies.values():
            yield next(v.document for v in policy.versions if v.is_default)


def _plain_context(call: Call) -> dict[str, tuple[str, ...]]:
    return {"aws:requestedregion": (call.region,)}


def _made_context(call: Call) -> dict[str, tuple[str, ...]]:
    asked = call.tags()
    given = {f"aws:requesttag/{name.lower()}": (value,) for name, value in asked.items()}
    return {**_plain_context(call), **given, **({"aws:tagkeys": tuple(asked)} if asked else {})}


def _context(account: str, call: Call, arn: str) -> Context:
    """The condition keys that are known of a call and one resource."""
    # In EC2, tags that are given to what is made are none of what exists.
    plain = call.service == "ec2" and call.action not in _GIVES_TAGS
    known = _plain_context(call) if plain else _made_context(call)
    # Cloud Map's own; a call of another service has no such parameters.
    for name in ("NamespaceName", "ServiceName"):
        if name in call.parameters:
            known[f"servicediscovery:{name.lower()}"] = (str(call.parameters[name]),)
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
    if arn == "*":  # would be every resource
        return found
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
            backend, id_ = get_backend("ec2")[account][call.region], arn.rpartition("/")[2]
            if ":key-pair/" in arn:  # the only one whose ARN has its name
                id_ = backend.key_pairs[id_].id
            mine: dict[str, list[str]] = {"resource-id": [id_]}
            tags = backend.describe_tags(mine)
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


def key_of_user(account: str, key_id: str) -> Key | None:
    """The key that CreateAccessKey has made for an IAM user, if it is active."""
    from moto.iam.models import iam_backends

    made = iam_backends[account]["aws"].access_keys.get(key_id)
    if made is None or made.status != "Active":
        return None
    return Key(key_id, made.secret_access_key, user=str(made.user_name))


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
