"""The resources that a call names, as ARNs. Pure.

https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from swarmctl.lab.access.call import Call

# The kind of resource by the first letters of its id.
_EC2_KINDS = {
    "ami": "image",
    "eipalloc": "elastic-ip",
    "igw": "internet-gateway",
    "rtb": "route-table",
    "i": "instance",
    "sg": "security-group",
    "vpc": "vpc",
    "subnet": "subnet",
    "vol": "volume",
    "eni": "network-interface",
    "lt": "launch-template",
}
# What is made by an action that does not name it.
_EC2_MADE = {
    "AllocateAddress": ("elastic-ip",),
    "CreateInternetGateway": ("internet-gateway",),
    "CreateLaunchTemplate": ("launch-template",),
    "CreateNetworkInterface": ("network-interface",),
    "CreateRouteTable": ("route-table",),
    "CreateSecurityGroup": ("security-group",),
    "CreateSubnet": ("subnet",),
    "CreateVpc": ("vpc",),
    "ImportKeyPair": ("key-pair",),
    "RunInstances": ("instance", "volume", "network-interface"),
}
# What needs no permission: a rule's source, a template's data, tags, a route's way out.
_NO_RESOURCE = re.compile(r"(IpPermissions|LaunchTemplateData|Tag(Specification)?)\..*|ClientToken")
_OWN_INTERFACE = re.compile(r"NetworkInterface\.\d+\.NetworkInterfaceId")  # of RunInstances
_WAYS_OUT = {"CreateRoute", "ReplaceRoute"}
_TAGGED_KIND = re.compile(r"TagSpecification\.\d+\.ResourceType")
_CLOUD_MAP_KINDS = {"ns": "namespace", "srv": "service"}
_ID = re.compile(r"(?P<prefix>[a-z]+)-[0-9a-z]+")
# Of the request itself: a rule's actions name target groups too, which need no permission.
_ELB_ARN = re.compile(r"(\w+Arn|\w+Arns\.member\.\d+|RulePriorities\.member\.\d+\.RuleArn)")


def resources(call: Call, account: str) -> tuple[str, ...]:
    """The ARNs of what a call names; ``("*",)`` where it names nothing."""
    found = _BY_SERVICE.get(call.service)
    return tuple(dict.fromkeys(found(call, account) if found else ())) or ("*",)


def made(call: Call, account: str) -> dict[str, bool]:
    """What stands for the ARNs of the things that a call makes in EC2; whether it tags them."""
    tagged = {str(v) for k, v in call.parameters.items() if _TAGGED_KIND.fullmatch(k)}
    kinds = list(_EC2_MADE.get(call.action, ())) if call.service == "ec2" else []
    if any(_OWN_INTERFACE.fullmatch(key) for key in call.parameters):
        kinds.remove("network-interface")  # the instance gets one that exists
    name = call.parameters.get("KeyName", "new") if call.action == "ImportKeyPair" else "new"
    return {f"arn:aws:ec2:{call.region}:{account}:{kind}/{name}": kind in tagged for kind in kinds}


def created(call: Call, account: str) -> tuple[str, ...]:
    """What stands for the ARN of the thing that a call creates: its last part is not known yet."""
    named = resources(call, account)
    match call.action:
        case "CreateRule":
            return tuple(f"{a.replace(':listener/', ':listener-rule/', 1)}/new" for a in named)
        case "CreateService":
            return tuple(f"{arn.rpartition(':')[0]}:service/srv-new" for arn in named)
    return named


def _load_balancing(call: Call, account: str) -> Iterator[str]:
    if call.action.startswith("Describe"):  # not limited to resources on AWS either
        return
    for key, value in call.parameters.items():
        if _ELB_ARN.fullmatch(key):
            yield str(value)
    if call.action == "CreateLoadBalancer":
        name = call.parameters.get("Name", "")
        yield f"arn:aws:elasticloadbalancing:{call.region}:{account}:loadbalancer/app/{name}/new"
    if call.action == "CreateTargetGroup":
        name = call.parameters.get("Name", "")
        yield f"arn:aws:elasticloadbalancing:{call.region}:{account}:targetgroup/{name}/new"


def _cloud_map(call: Call, account: str) -> Iterator[str]:
    for key, value in call.parameters.items():
        if key == "ResourceARN":
            yield str(value)
        elif kind := _kind(value, _CLOUD_MAP_KINDS):
            yield f"arn:aws:servicediscovery:{call.region}:{account}:{kind}/{value}"


def _route_53(call: Call, account: str) -> Iterator[str]:  # noqa: ARG001 - zones are in no account
    if zone := re.search(r"/hostedzone/(\w+)", call.path):
        yield f"arn:aws:route53:::hostedzone/{zone[1]}"


def _ec2(call: Call, account: str) -> Iterator[str]:
    if call.action.startswith("Describe"):
        return
    for key, value in call.parameters.items():
        if _NO_RESOURCE.fullmatch(key) or (call.action in _WAYS_OUT and key == "GatewayId"):
            continue
        if key == "KeyName" and call.action != "ImportKeyPair":
            yield f"arn:aws:ec2:{call.region}:{account}:key-pair/{value}"
        elif kind := _kind(value, _EC2_KINDS):
            owner = "" if kind == "image" else account
            yield f"arn:aws:ec2:{call.region}:{owner}:{kind}/{value}"


def _kind(value: object, kinds: dict[str, str]) -> str:
    found = _ID.fullmatch(value) if isinstance(value, str) else None
    return kinds.get(found["prefix"], "") if found else ""


def _ecr(call: Call, account: str) -> Iterator[str]:
    if call.action == "GetAuthorizationToken":
        return
    if arn := call.parameters.get("resourceArn"):
        yield str(arn)
        return
    name, names = (call.parameters.get(f"repositoryName{s}") for s in ("", "s"))
    for repository in [name] if name else names if isinstance(names, list) and names else ["*"]:
        yield f"arn:aws:ecr:{call.region}:{account}:repository/{repository}"


def _logs(call: Call, account: str) -> Iterator[str]:
    if arn := call.parameters.get("resourceArn"):
        yield str(arn)
    elif group := call.parameters.get("logGroupName"):
        stream = call.parameters.get("logStreamName")
        # CreateLogStream, too, is judged by the stream's name.
        yield f"arn:aws:logs:{call.region}:{account}:log-group:{group}" + (
            f":log-stream:{stream}" if stream else ""
        )


def _iam(call: Call, account: str) -> Iterator[str]:
    for kind, key in (("instance-profile", "InstanceProfileName"), ("role", "RoleName")):
        if name := call.parameters.get(key):  # of both, the profile is what is changed
            yield f"arn:aws:iam::{account}:{kind}/{name}"
            return


def _ssm(call: Call, account: str) -> Iterator[str]:
    if name := call.parameters.get("Name") or call.parameters.get("ResourceId"):
        yield f"arn:aws:ssm:{call.region}:{account}:parameter/{str(name).removeprefix('/')}"


_BY_SERVICE = {
    "iam": _iam,
    "ssm": _ssm,
    "ecr": _ecr,
    "ec2": _ec2,
    "elasticloadbalancing": _load_balancing,
    "logs": _logs,
    "route53": _route_53,
    "servicediscovery": _cloud_map,
}
