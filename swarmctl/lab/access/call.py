"""What a request asks for: service, action and parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote

import botocore.session

from swarmctl.lab.access.api_error import ApiError

_TAG = re.compile(r"((?:TagSpecification\.\d+\.)?Tags?\.(?:member\.)?\d+)\.Key")

_ACTION = re.compile(r"[A-Za-z0-9]{0,64}")

_IN_FORMS = ("ec2", "elasticloadbalancing", "iam", "sts")
_FORMS = ("", "application/x-www-form-urlencoded")
_FOR_MOTO = ("HTTP_X_MOTO_ACCOUNT_ID", "HTTP_ACTION", "HTTP_CONTENT_ENCODING")


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a service of AWS."""

    service: str  # as it was signed for, which is IAM's prefix: "ec2", "elasticloadbalancing" …
    action: str  # "" where it is not known
    parameters: Mapping[str, Any] = field(default_factory=dict)  # flat for XML, a tree for JSON
    region: str = ""
    path: str = ""
    as_json: bool = False

    @property
    def name(self) -> str:
        """As in a policy: ``ec2:DescribeInstances``."""
        return f"{self.service}:{self.action or 'UnknownAction'}"

    @property
    def reads(self) -> bool:
        """Whether the call changes nothing."""
        return self.action.startswith(("Describe", "Discover", "Get", "List"))

    def tags(self) -> dict[str, str]:
        """The tags that the request gives to something.

        Raises:
            ApiError: they have not the form of tags.
        """
        if self.as_json:
            given = self.parameters.get("Tags") or self.parameters.get("tags") or ()
            if isinstance(given, Mapping):  # CloudWatch Logs
                return {str(key): str(value) for key, value in given.items()}
            try:
                return {str(tag["Key"]): str(tag.get("Value", "")) for tag in given}
            except (TypeError, KeyError, AttributeError):
                why = "the tags are no list of keys and values"
                raise ApiError("SerializationException", why, 400) from None
        found = {}
        for key, name in self.parameters.items():
            if match := _TAG.fullmatch(key):
                found[name] = str(self.parameters.get(f"{match[1]}.Value", ""))
        return found


def read_call(environ: Mapping[str, Any], body: bytes, service: str, region: str) -> Call:
    """The call that a request makes.

    Args:
        environ: WSGI's.
        body: of the request.
        service: as it was signed for.
        region: as it was signed for.

    Raises:
        ApiError: moto could read another call in it, or it has no name.
    """
    _require_one_reading(environ, body, service)
    path = str(environ.get("PATH_INFO", ""))
    if service == "s3":  # the policies of roles are not judged for it
        return Call(service, "", {}, region, path)
    if target := str(environ.get("HTTP_X_AMZ_TARGET", "")):
        try:
            tree = json.loads(body or b"{}")
        except ValueError:
            tree = {}
        parameters = tree if isinstance(tree, dict) else {}
        action = _checked(target.rpartition(".")[2])
        return Call(service, action, parameters, region, path, as_json=True)
    text = f"{environ.get('QUERY_STRING', '')}&{body.decode(errors='replace')}"
    rest = _operations(service)
    if rest is None:
        form = dict(parse_qsl(text, keep_blank_values=True))
        return Call(service, _checked(form.get("Action", "")), form, region, path)
    method = str(environ.get("REQUEST_METHOD", ""))
    action = next((name for verb, uri, name in rest if verb == method and uri.fullmatch(path)), "")
    return Call(service, action, {}, region, path)


def _checked(action: str) -> str:
    """A name that moto takes for the same: for moto, ``create_vpc`` and ``Create Vpc`` are one."""
    if not _ACTION.fullmatch(action):
        raise ApiError("InvalidAction", "an action has letters and digits only", 400)
    return action


def _require_one_reading(environ: Mapping[str, Any], body: bytes, service: str) -> None:
    """Refuse what moto, which has an order of its own, could read as another call.

    For moto an ``Action`` of the form comes before ``X-Amz-Target`` and before the path, the first
    of two before the second, and a header where there is no form; any body can be a form.
    """
    query = str(environ.get("QUERY_STRING", ""))
    form = parse_qsl(f"{query}&{body.decode(errors='replace')}", keep_blank_values=True)
    names = [name for name, _ in form]
    kind = str(environ.get("CONTENT_TYPE", "")).partition(";")[0].strip().lower()
    if service == "route53":
        ambiguous = "Action" in names or "HTTP_X_AMZ_TARGET" in environ
    elif service == "s3":  # its bodies are files, and moto reads no form in them
        ambiguous = "HTTP_X_AMZ_TARGET" in environ
    elif "HTTP_X_AMZ_TARGET" in environ:
        ambiguous = "Action" in names or bool(query) or service in _IN_FORMS
    else:
        ambiguous = len(set(names)) < len(names) or bool(query and body) or kind not in _FORMS
    if service != "route53":  # it has no regions
        ambiguous |= ".amazonaws.com" in unquote(str(environ.get("REQUEST_URI", "")))
    if ambiguous or any(header in environ for header in _FOR_MOTO):
        raise ApiError("InvalidRequest", "the request can be read in two ways", 400)


@cache
def _operations(service: str) -> tuple[tuple[str, re.Pattern[str], str], ...] | None:
    """Verb, path and name of a service's operations; ``None`` where the body has the name."""
    if service != "route53":
        return None
    model = botocore.session.get_session().get_service_model("route53")
    found = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        uri = re.escape(http["requestUri"].partition("?")[0])
        pattern = re.sub(r"\\\{\w+(\\\+)?\\\}", "[^/]+", uri)
        found.append((http["method"], re.compile(pattern + "/?"), name))
    return tuple(found)
