"""What the metadata service knows of an instance, read from moto's state.

The caller holds the API's lock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Facts:
    """An instance as its own metadata describe it."""

    id: str
    image: str
    type: str
    ip: str
    mac: str
    interface: str
    zone: str
    region: str
    vpc: str
    vpc_cidr: str
    subnet: str
    subnet_cidr: str
    groups: tuple[tuple[str, str], ...]  # id and name
    reservation: str
    launched: datetime
    account: str
    user_data: bytes
    tags: tuple[tuple[str, str], ...]
    profile: str = ""  # the ARN of the instance profile
    profile_id: str = ""
    role: str = ""  # the name of the role in it
    enabled: bool = True
    tokens_required: bool = False
    hop_limit: int = 1
    shows_tags: bool = False


def facts_of(backend: Any, instance: Any, user_data: bytes) -> Facts:
    """The facts of moto's ``Instance`` in moto's EC2 ``backend``."""
    nic = instance.nics[0]
    options = instance.metadata_options
    association = backend.iam_instance_profile_associations.get(instance.id)
    profile = association.iam_instance_profile if association else None
    groups = {group.id: group.name for n in instance.nics.values() for group in n.group_set}
    return Facts(
        id=instance.id,
        image=instance.image_id,
        type=instance.instance_type,
        ip=instance.private_ip or "",
        mac=nic.mac_address or "",
        interface=nic.id,
        zone=instance.availability_zone or "",
        region=backend.region_name,
        vpc=instance.vpc_id or "",
        vpc_cidr=backend.vpcs[instance.vpc_id].cidr_block,
        subnet=nic.subnet.id,
        subnet_cidr=nic.subnet.cidr_block,
        groups=tuple(sorted(groups.items())),
        reservation=getattr(instance, "reservation_id", "") or "",
        launched=instance.launch_time,
        account=backend.account_id,
        user_data=user_data,
        tags=tuple((tag["key"], tag["value"]) for tag in instance.get_tags()),
        profile=profile.arn if profile else "",
        profile_id=profile.id if profile else "",
        role=next((role.name for role in profile.roles), "") if profile else "",
        enabled=options.http_endpoint != "disabled",
        tokens_required=options.http_tokens == "required",
        hop_limit=int(options.http_put_response_hop_limit),
        shows_tags=options.instance_metadata_tags == "enabled",
    )
