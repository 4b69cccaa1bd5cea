"""How many calls a second AWS takes, and how it words the refusal. Pure.

Each limit is a token bucket of the account in a region: it holds so many calls, and so many come
back each second. Where AWS documents nothing, a limit catches only a client that never pauses.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from swarmctl.lab.access.api_error import ApiError
from swarmctl.lab.access.call import Call


@dataclass(frozen=True, slots=True)
class Rate:
    """A bucket's size in calls, and how many come back each second."""

    capacity: float
    refill: float


_UNDOCUMENTED = Rate(200, 100)

# https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html
_EC2_READS, _EC2_UNFILTERED, _EC2_CHANGES = Rate(100, 20), Rate(50, 10), Rate(50, 5)
_EC2 = {
    "CreateTags": Rate(100, 10),
    "DescribeVpcs": Rate(100, 10),
    "RunInstances": Rate(5, 2),
    "StartInstances": Rate(5, 2),
    "StopInstances": Rate(5, 2),
    "TerminateInstances": Rate(100, 5),
}

# https://docs.aws.amazon.com/elasticloadbalancing/latest/userguide/elb-api-throttling.html
_ELB_READS, _ELB_CHANGES, _ELB_REGISTRATIONS = Rate(40, 10), Rate(20, 3), Rate(20, 4)

# https://docs.aws.amazon.com/cloud-map/latest/dg/throttling.html
_CLOUD_MAP = {
    "DiscoverInstances": Rate(2000, 1000),
    "DiscoverInstancesRevision": Rate(3000, 3000),
    "RegisterInstance": Rate(50, 50),
    "DeregisterInstance": Rate(50, 50),
}

# https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/DNSLimitations.html#limits-api-requests
_ROUTE_53 = Rate(5, 5)


# A second, of the API and of the registry together.
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html
_ECR = {
    "BatchCheckLayerAvailability": Rate(1000, 1000),
    "BatchGetImage": Rate(2000, 2000),
    "CompleteLayerUpload": Rate(100, 100),
    "GetAuthorizationToken": Rate(500, 500),
    "GetDownloadUrlForLayer": Rate(3000, 3000),
    "InitiateLayerUpload": Rate(100, 100),
    "PutImage": Rate(10, 10),
    "UploadLayerPart": Rate(500, 500),
}


# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
_LOGS = {
    "CreateLogGroup": Rate(10, 10),
    "CreateLogStream": Rate(50, 50),
    "DescribeLogGroups": Rate(10, 10),
    "DescribeLogStreams": Rate(25, 25),
    "FilterLogEvents": Rate(5, 5),
    "GetLogEvents": Rate(25, 25),
    "PutLogEvents": Rate(5000, 5000),
}


# https://docs.aws.amazon.com/general/latest/gr/ssm.html
_SSM = {"GetParameter": Rate(40, 40), "PutParameter": Rate(3, 3)}


def bucket(call: Call) -> tuple[str, Rate]:
    """The name of the bucket that a call takes from, and its rate."""
    match call.service:
        case "ec2":
            return call.name, _ec2(call)
        case "elasticloadbalancing" if call.reads:
            return f"{call.service}: reads", _ELB_READS
        case "elasticloadbalancing" if call.action in ("RegisterTargets", "DeregisterTargets"):
            return f"{call.service}: registrations", _ELB_REGISTRATIONS
        case "elasticloadbalancing":
            return f"{call.service}: changes", _ELB_CHANGES
        case "servicediscovery" if call.action in _CLOUD_MAP:
            return call.name, _CLOUD_MAP[call.action]
        case "route53":
            return call.service, _ROUTE_53
        case "logs" if call.action in _LOGS:
            return call.name, _LOGS[call.action]
        case "ssm" if call.action in _SSM:
            return call.name, _SSM[call.action]
        case "ecr" | "registry" if call.action in _ECR:
            return f"ecr:{call.action}", _ECR[call.action]
    return call.service, _UNDOCUMENTED


def _ec2(call: Call) -> Rate:
    if rate := _EC2.get(call.action):
        return rate
    if not call.reads:
        return _EC2_CHANGES
    # By Filter.N, an id (InstanceId.N …) or a page size; all other parameters are of the protocol.
    asked = set(call.parameters) - {"Action", "Version"}
    return _EC2_READS if asked else _EC2_UNFILTERED


def throttled(call: Call) -> ApiError:
    """The error of a service whose limit is reached."""
    match call.service:
        case "ec2":
            return ApiError(
                "RequestLimitExceeded", "Request limit exceeded.", HTTPStatus.SERVICE_UNAVAILABLE
            )
        case "servicediscovery":
            return ApiError("RequestLimitExceeded", "Rate exceeded", HTTPStatus.BAD_REQUEST)
        case "elasticloadbalancing":
            return ApiError("ThrottlingException", "Rate exceeded", HTTPStatus.BAD_REQUEST)
    code = "ThrottlingException" if call.as_json else "Throttling"
    return ApiError(code, "Rate exceeded", HTTPStatus.BAD_REQUEST)


def failed(call: Call, status: int) -> ApiError:
    """The error of a service that fails by its own fault (5xx)."""
    codes = {"ec2": "InternalError", "servicediscovery": "InternalServiceError"}
    code = codes.get(call.service, "InternalFailure")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        code = "Unavailable" if call.service == "ec2" else "ServiceUnavailable"
    return ApiError(code, "The lab was asked to fail.", status)
