"""The zones that a VPC sees, read from moto's state.

The caller holds the API's lock.
https://docs.aws.amazon.com/cloud-map/latest/api/API_DnsConfig.html
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from swarmctl.lab.resolver.answers import VpcNames
from swarmctl.lab.resolver.records import Member, Policy, RecordSet, Zone, absolute

_SOA = "ns-1536.awsdns-00.co.uk. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"
# What Cloud Map gives a namespace unless the request says otherwise.
_CLOUD_MAP_SOA_TTL = 15


def vpc_names(account: str, region: str, vpc: str, cidr: str) -> VpcNames:
    """Everything that the resolver of a VPC knows."""
    from moto.backends import get_backend

    cloud_map = get_backend("servicediscovery")[account][region]
    namespaces = [n for n in cloud_map.namespaces.values() if n.vpc == vpc]
    made_by_cloud_map = {n.dns_properties.get("HostedZoneId") for n in namespaces}
    hosted = [
        zone
        for zone in get_backend("route53")[account]["aws"].zones.values()
        if zone.private_zone
        and zone.id not in made_by_cloud_map
        and any(each.get("vpc_id") == vpc for each in zone.vpcs)
    ]
    domain = "ec2.internal." if region == "us-east-1" else f"{region}.compute.internal."
    zones = (
        *(_hosted(zone) for zone in hosted),
        *(_namespace(n, cloud_map.services.values()) for n in namespaces),
    )
    return VpcNames(IPv4Network(cidr), domain, zones)


def _namespace(namespace: Any, services: Any) -> Zone:
    root = absolute(namespace.name)
    sets: dict[tuple[str, str], RecordSet] = {}
    for service in services:
        if service.namespace_id == namespace.id:
            sets |= dict(_service(service, root))
    soa = (namespace.dns_properties or {}).get("SOA") or {}
    ttl = int(soa.get("TTL", _CLOUD_MAP_SOA_TTL))
    return Zone(root, {(root, "SOA"): _simple((_SOA,), ttl), **sets}, _SOA, ttl, ttl)


def _service(service: Any, root: str) -> Iterator[tuple[tuple[str, str], RecordSet]]:
    config = service.dns_config or {}
    name = f"{service.name}.{root}".lower()
    policy = Policy(Policy[config.get("RoutingPolicy") or "MULTIVALUE"])
    for record in config.get("DnsRecords") or ():
        kind, ttl = record["Type"], int(record["TTL"])
        members = []
        for instance in service.instances:
            own = f"{instance.instance_id}.{name}".lower()
            value = _value(kind, instance.attributes, own)
            if value:
                healthy = instance.health_status == "HEALTHY"
                members.append(Member((value,), ttl, healthy=healthy))
            if value and kind == "SRV":
                for family, key in (("A", "AWS_INSTANCE_IPV4"), ("AAAA", "AWS_INSTANCE_IPV6")):
                    if address := instance.attributes.get(key):
                        yield (own, family), _simple((address,), ttl)
        if members:
            yield (name, kind), RecordSet(policy, tuple(members))


def _value(kind: str, attributes: dict[str, str], own: str) -> str:
    match kind:
        case "A":
            return attributes.get("AWS_INSTANCE_IPV4", "")
        case "AAAA":
            return attributes.get("AWS_INSTANCE_IPV6", "")
        case "CNAME":
            return absolute(attributes.get("AWS_INSTANCE_CNAME", ""))
        case "SRV" if port := attributes.get("AWS_INSTANCE_PORT"):
            return f"1 1 {port} {own}"
    return ""


def _hosted(zone: Any) -> Zone:
    groups: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for record in zone.rrsets:
        # A zone file's escape of a star, as ListResourceRecordSets gives it.
        name = absolute(record.name.replace("\\052", "*"))
        kind, values = _kind_and_values(record)
        if values:
            groups[name, kind].append((record, values))
    root = absolute(zone.name)
    sets = {key: _record_set(records) for key, records in groups.items()}
    soa = next((s.members[0] for (n, k), s in sets.items() if (n, k) == (root, "SOA")), None)
    if soa is None:
        return Zone(root, sets, _SOA)
    return Zone(root, sets, soa.values[0], soa.ttl, int(soa.values[0].split()[-1]))


def _kind_and_values(record: Any) -> tuple[str, tuple[str, ...]]:
    if record.alias_target:
        target = str(record.alias_target["DNSName"]).rstrip(".").removeprefix("dualstack.")
        try:
            # The name of the lab's load balancers is their address.
            return record.type, (str(IPv4Address(target)),) if record.type == "A" else ()
        except ValueError:
            return "CNAME", (absolute(target),)
    # moto keeps those of a new zone as the API takes them.
    texts = (v["Value"] if isinstance(v, dict) else v for v in record.records or ())
    return record.type, tuple(texts)


def _record_set(records: list[Any]) -> RecordSet:
    members = tuple(
        Member(values, int(record.ttl or 60), int(record.weight or 0)) for record, values in records
    )
    first = records[0][0]
    if first.multi_value_answer:
        return RecordSet(Policy.MULTIVALUE, members)
    if first.weight is not None:
        return RecordSet(Policy.WEIGHTED, members)
    return RecordSet(Policy.SIMPLE, members)


def _simple(values: tuple[str, ...], ttl: int) -> RecordSet:
    return RecordSet(Policy.SIMPLE, (Member(values, ttl),))
