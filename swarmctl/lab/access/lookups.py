"""What a call means but does not name: AWS finds it, and asks the policies about it, too.

A launch template by its name, an association's route table or address, the role that an instance
profile passes on. The caller holds the API's lock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from swarmctl.lab.access.call import Call

_PROFILE = "IamInstanceProfile."  # of RunInstances and AssociateIamInstanceProfile


def resolved(account: str, call: Call) -> Call:
    """The call with the ids of what it means among its parameters."""
    if call.service != "ec2" or call.action.startswith("Describe"):
        return call
    from moto.backends import get_backend

    backend = get_backend("ec2")[account][call.region]
    return replace(call, parameters={**call.parameters, **dict(_meant(backend, call))})


def passed_role(account: str, call: Call) -> str:
    """The role that a call gives to something; "" if none."""
    from moto.iam.models import iam_backends

    if call.name == "iam:AddRoleToInstanceProfile":
        return str(call.parameters.get("RoleName", ""))
    named = (str(call.parameters.get(f"{_PROFILE}{key}", "")) for key in ("Name", "Arn"))
    profile = next((name.rpartition("/")[2] for name in named if name), "")
    if not profile:
        return ""
    profiles = iam_backends[account]["aws"].instance_profiles.values()
    found = next((p for p in profiles if p.name == profile), None)
    return str(found.roles[0].name) if found and found.roles else ""


def _meant(backend: Any, call: Call) -> Iterator[tuple[str, str]]:
    given = call.parameters
    for prefix in ("", "LaunchTemplate."):
        name = given.get(f"{prefix}LaunchTemplateName")
        id_ = given.get(f"{prefix}LaunchTemplateId") or backend.launch_template_name_to_ids.get(
            name
        )
        template = backend.launch_templates.get(id_)
        if template is None:
            continue
        yield f"{prefix}LaunchTemplateId", template.id
        if call.action == "RunInstances":
            data = template.get_version(given.get(f"{prefix}Version") or "$Default").data
            for key in ("ImageId", "KeyName"):
                if key not in given and data.get(key):
                    yield key, data[key]
    association = given.get("AssociationId")
    for table in backend.route_tables.values():
        if association in table.all_associations_ids:
            yield "RouteTableId", table.id
    for address in backend.addresses:
        if association and address.association_id == association:
            yield "AllocationId", address.allocation_id
