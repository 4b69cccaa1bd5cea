"""What a request asks for: service, action and parameters."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import botocore.session

_TAG = re.compile(r"((?:TagSpecification\.\d+\.)?Tags?\.(?:member\.)?\d+)\.Key")


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
        """The tags that the request gives to something."""
        if self.as_json:
            given = self.parameters.get("Tags") or ()
            return {t["Key"]: t.get("Value", "") for t in given if isinstance(t, dict)}
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
    """
    path = str(environ.get("PATH_INFO", ""))
    if target := str(environ.get("HTTP_X_AMZ_TARGET", "")):
        try:
            tree = json.loads(body or b"{}")
        except ValueError:
            tree = {}
        parameters = tree if isinstance(tree, dict) else {}
        return Call(service, target.rpartition(".")[2], parameters, region, path, as_json=True)
    text = f"{environ.get('QUERY_STRING', '')}&{body.decode(errors='replace')}"
    rest = _operations(service)
    if rest is None:
        form = dict(parse_qsl(text, keep_blank_values=True))
        return Call(service, form.get("Action", ""), form, region, path)
    method = str(environ.get("REQUEST_METHOD", ""))
    action = next((name for verb, uri, name in rest if verb == method and uri.fullmatch(path)), "")
    return Call(service, action, {}, region, path)


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
