"""Patches for moto 5.2.5's Cloud Map: what it accepts and AWS refuses, and what it forgets.

Each function is one patch; all can be removed when moto does the same.
https://docs.aws.amazon.com/cloud-map/latest/api/Welcome.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.route53.models import route53_backends
from moto.servicediscovery import models, responses

_Backend: Any = models.ServiceDiscoveryBackend  # Any: their methods are replaced
_Response: Any = responses.ServiceDiscoveryResponse

# https://docs.aws.amazon.com/cloud-map/latest/dg/cloud-map-limits.html
INSTANCES_OF_SERVICE = 1000
INSTANCES_OF_NAMESPACE = 2000
ATTRIBUTES = 30
PAGE = 100
_ALLOWED_TYPES = ({"A"}, {"AAAA"}, {"A", "AAAA"}, {"SRV"}, {"CNAME"}, set[str]())
_NEEDS = {
    "A": "AWS_INSTANCE_IPV4",
    "AAAA": "AWS_INSTANCE_IPV6",
    "SRV": "AWS_INSTANCE_PORT",
    "CNAME": "AWS_INSTANCE_CNAME",
}
_FILTERS = {"NAMESPACE_ID": "namespace_id", "TYPE": "type", "NAME": "name"}


def apply() -> None:
    """Patch moto in this process."""
    _a_vpc_has_many_namespaces()
    _services_have_one_name_and_one_kind()
    _an_instance_is_registered_once()
    _what_is_used_cannot_be_deleted()
    _operations_are_kept()
    _the_revision_only_grows()
    _lists_are_filtered_and_have_pages()


def _a_vpc_has_many_namespaces() -> None:
    """A second namespace in a VPC is refused, and the hosted zone has another name and no VPC."""
    original = _Backend.create_private_dns_namespace

    def create(self: Any, **given: Any) -> Any:
        name, vpc = given["name"], given["vpc"]
        if any(n.name == name and n.vpc == vpc for n in self.namespaces.values()):
            raise JsonRESTError("NamespaceAlreadyExists", f"{vpc} has a namespace {name} already")
        before = set(self.namespaces)
        operation = original(self, **{**given, "vpc": ""})  # without a VPC, it conflicts with none
        (made,) = (n for key, n in self.namespaces.items() if key not in before)
        made.vpc = vpc
        zone = _zones(self).get_hosted_zone(made.dns_properties["HostedZoneId"])
        zone.name = f"{name}."
        zone.add_vpc(vpc, self.region_name)
        return operation

    _Backend.create_private_dns_namespace = create


def _services_have_one_name_and_one_kind() -> None:
    """Two services of one name, A with SRV, and any kind of record are accepted."""
    original, original_update = _Backend.create_service, _Backend.update_service

    def check(config: Any) -> None:
        records = (config or {}).get("DnsRecords") or ()
        kinds = {str(record.get("Type")) for record in records}
        if kinds not in _ALLOWED_TYPES:
            raise _invalid(f"a service cannot have records of the types {sorted(kinds)} together")
        if not all(re.fullmatch(r"[0-9]{1,9}", str(record.get("TTL"))) for record in records):
            raise _invalid("a record has a TTL in seconds")
        if (config or {}).get("RoutingPolicy") not in (None, "MULTIVALUE", "WEIGHTED"):
            raise _invalid("the routing policy is MULTIVALUE or WEIGHTED")

    def update(self: Any, service_id: str, details: dict[str, Any]) -> str:
        check(details.get("DnsConfig"))
        return str(original_update(self, service_id, details))

    def create(self: Any, **given: Any) -> Any:
        self.get_namespace(given["namespace_id"])
        check(given["dns_config"])
        for service in self.services.values():
            if (service.namespace_id, service.name) == (given["namespace_id"], given["name"]):
                creator = given["creator_request_id"]
                if creator and creator == service.creator_request_id:
                    return service  # the same request again
                raise JsonRESTError(
                    "ServiceAlreadyExists", f"a service {service.name} exists: {service.id}"
                )
        return original(self, **given)

    _Backend.create_service = create
    _Backend.update_service = update


def _an_instance_is_registered_once() -> None:
    """A second registration makes a second instance; attributes and quotas are not judged."""
    original = _Backend.register_instance

    def register(
        self: Any, service_id: str, instance_id: str, creator_request_id: str, attributes: Any
    ) -> Any:
        service = self.get_service(service_id)
        _judge(service, attributes or {})
        others = [i for i in service.instances if i.instance_id != instance_id]
        if len(others) == len(service.instances):  # a new one
            _require_room(self, service)
        service.instances = others
        return original(self, service_id, instance_id, creator_request_id, attributes)

    _Backend.register_instance = register


def _judge(service: Any, attributes: dict[str, str]) -> None:
    if len(attributes) > ATTRIBUTES:
        raise _invalid(f"an instance has at most {ATTRIBUTES} attributes, not {len(attributes)}")
    if not all(isinstance(value, str) for value in attributes.values()):
        raise _invalid("the attributes of an instance are strings")
    if "AWS_ALIAS_DNS_NAME" in attributes:
        raise _invalid("the lab's resolver does not answer AWS_ALIAS_DNS_NAME")
    for record in (service.dns_config or {}).get("DnsRecords") or ():
        if _NEEDS[record["Type"]] not in attributes:
            raise _invalid(f"{_NEEDS[record['Type']]} is required for a record {record['Type']}")
    checks = {
        "AWS_INSTANCE_IPV4": IPv4Address,
        "AWS_INSTANCE_IPV6": IPv6Address,
        "AWS_INSTANCE_PORT": _port,
    }
    for name, check in checks.items():
        if name in attributes:
            try:
                check(attributes[name])
            except ValueError as error:
                raise _invalid(f"{name}: {error}") from error


def _port(text: str) -> None:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text) <= 65535):
        raise ValueError(f"{text!r} is no port")


def _require_room(backend: Any, service: Any) -> None:
    siblings = [s for s in backend.services.values() if s.namespace_id == service.namespace_id]
    for limit, services in ((INSTANCES_OF_SERVICE, [service]), (INSTANCES_OF_NAMESPACE, siblings)):
        if sum(len(s.instances) for s in services) >= limit:
            what = "service" if limit == INSTANCES_OF_SERVICE else "namespace"
            raise JsonRESTError(
                "ResourceLimitExceeded", f"a {what} cannot have more than {limit} instances"
            )


def _what_is_used_cannot_be_deleted() -> None:
    """Services with instances and namespaces with services are deleted; the hosted zone stays."""
    delete_service = _Backend.delete_service
    delete_namespace = _Backend.delete_namespace

    def service(self: Any, service_id: str) -> None:
        if self.get_service(service_id).instances:
            raise JsonRESTError("ResourceInUse", f"the service {service_id} has instances")
        delete_service(self, service_id)

    def namespace(self: Any, namespace_id: str) -> Any:
        found = self.get_namespace(namespace_id)
        if any(s.namespace_id == namespace_id for s in self.services.values()):
            raise JsonRESTError("ResourceInUse", f"the namespace {namespace_id} has services")
        if zone := (found.dns_properties or {}).get("HostedZoneId"):  # not of an HTTP namespace
            _zones(self).delete_hosted_zone(zone)
        return delete_namespace(self, namespace_id)

    _Backend.delete_service = service
    _Backend.delete_namespace = namespace


def _operations_are_kept() -> None:
    """ListOperations forgets all operations but those of namespaces that exist."""

    def list_operations(self: Any) -> Any:
        return self.operations.values()

    _Backend.list_operations = list_operations


def _the_revision_only_grows() -> None:
    """The revision is a sum over the instances that are there now, so it falls when one leaves."""
    register = _Backend.register_instance
    deregister = _Backend.deregister_instance

    def grow(self: Any, service_id: str) -> None:
        service = self.services[service_id]
        service.revision = getattr(service, "revision", 0) + 1

    def registered(self: Any, **given: Any) -> Any:
        operation = register(self, **given)
        grow(self, given["service_id"])
        return operation

    def deregistered(self: Any, **given: Any) -> Any:
        operation = deregister(self, **given)
        grow(self, given["service_id"])
        return operation

    def revision(self: Any, namespace_name: str, service_name: str) -> int:
        self.discover_instances(namespace_name, service_name)  # refuses unknown names
        return next(
            getattr(s, "revision", 0)
            for s in self.services.values()
            if s.name == service_name and self.namespaces[s.namespace_id].name == namespace_name
        )

    original = _Response.discover_instances

    def discover(self: Any) -> str:
        asked = json.loads(self.body)
        found = json.loads(original(self))
        found["InstancesRevision"] = self.servicediscovery_backend.discover_instances_revision(
            asked.get("NamespaceName"), asked.get("ServiceName")
        )
        return json.dumps(found)

    _Backend.register_instance = registered
    _Backend.deregister_instance = deregistered
    _Backend.discover_instances_revision = revision
    _Response.discover_instances = discover


def _lists_are_filtered_and_have_pages() -> None:
    """Filters and pages of ListServices and ListNamespaces are ignored."""

    def list_services(self: Any) -> str:
        return _page(self, "Services", self.servicediscovery_backend.list_services())

    def list_namespaces(self: Any) -> str:
        return _page(self, "Namespaces", self.servicediscovery_backend.list_namespaces())

    _Response.list_services = list_services
    _Response.list_namespaces = list_namespaces


def _page(response: Any, key: str, items: Iterable[models.Namespace | models.Service]) -> str:
    asked = json.loads(response.body or "{}")
    for each in asked.get("Filters") or ():
        if (attribute := _FILTERS.get(each["Name"])) is None:
            raise _invalid(f"the lab does not know the filter {each['Name']}")
        items = [i for i in items if getattr(i, attribute, None) in each["Values"]]
    page, token = response.servicediscovery_backend.paginate(
        list(items), asked.get("MaxResults") or PAGE, asked.get("NextToken")
    )
    more = {"NextToken": token} if token else {}
    return json.dumps({key: [item.to_json() for item in page], **more})


def _zones(backend: Any) -> Any:
    return route53_backends[backend.account_id]["aws"]


def _invalid(message: str) -> JsonRESTError:
    return JsonRESTError("InvalidInput", message)
