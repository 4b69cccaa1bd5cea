"""Cloud Map and Route 53 of the lab behave as on AWS, and the resolver answers what they hold."""

from itertools import count
from random import Random
from typing import Any

import boto3
import dns.message
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.validate import ValidationErrors

from swarmctl.lab.api import Api
from swarmctl.lab.resolver import cloud_map_patches
from swarmctl.lab.resolver.answers import answer
from tests.unit.lab.conftest import KEY_ID, SECRET, client

_numbers = count(1)


def service(name: str, endpoint: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]  # its name is not known to mypy
        name,
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        config=Config(inject_host_prefix=False),
    )


class Names:
    """A VPC with a namespace of its own."""

    def __init__(self, api: Api, endpoint: str) -> None:
        self.api, self.number = api, next(_numbers)
        self.cloud_map = service("servicediscovery", endpoint)
        self.route53 = service("route53", endpoint)
        cidr = f"10.{120 + self.number}.0.0/16"
        self.vpc = client(endpoint).create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
        self.domain = f"n{self.number}.internal"
        self.cloud_map.create_private_dns_namespace(Name=self.domain, Vpc=self.vpc)
        (found,) = self.cloud_map.list_namespaces(
            Filters=[{"Name": "NAME", "Values": [self.domain], "Condition": "EQ"}]
        )["Namespaces"]
        self.namespace = found["Id"]

    def make(self, name: str, *kinds: str, policy: str = "MULTIVALUE", **more: Any) -> str:
        records = [{"Type": kind, "TTL": 5} for kind in kinds]
        made = self.cloud_map.create_service(
            Name=name,
            NamespaceId=self.namespace,
            DnsConfig={"DnsRecords": records, "RoutingPolicy": policy},
            **more,
        )
        return str(made["Service"]["Id"])

    def register(self, service: str, instance: str, **attributes: str) -> None:
        given = {f"AWS_INSTANCE_{name}": value for name, value in attributes.items()}
        self.cloud_map.register_instance(ServiceId=service, InstanceId=instance, Attributes=given)

    def revision(self, name: str) -> int:
        found = self.cloud_map.discover_instances_revision(
            NamespaceName=self.domain, ServiceName=name
        )
        return int(found["InstancesRevision"])

    def ask(self, name: str, kind: str = "A") -> list[str]:
        query = dns.message.make_query(f"{name}.{self.domain}", kind)
        reply = answer(self.api.names_in(self.vpc), query, Random(1))
        assert reply is not None
        return [f"{rrset.ttl} {item}" for rrset in reply.answer for item in rrset]

    def zone(self) -> str:
        made = self.route53.create_hosted_zone(
            Name=f"z.{self.domain}",
            VPC={"VPCRegion": "eu-central-1", "VPCId": self.vpc},
            CallerReference=self.domain,
            HostedZoneConfig={"PrivateZone": True},
        )
        return str(made["HostedZone"]["Id"])

    def change(self, zone: str, *changes: tuple[str, str, dict[str, Any]]) -> None:
        batch = [
            {
                "Action": action,
                "ResourceRecordSet": {"Name": f"{name}.z.{self.domain}", "Type": "A"} | record,
            }
            for action, name, record in changes
        ]
        self.route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": batch})


def to(*addresses: str, ttl: int = 60, **more: Any) -> dict[str, Any]:
    return {"TTL": ttl, "ResourceRecords": [{"Value": a} for a in addresses], **more}


@pytest.fixture
def names(api: Api, endpoint: str) -> Names:
    return Names(api, endpoint)


def refused(code: str, call: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(*arguments, **named)
    assert caught.value.response["Error"]["Code"] == code
    return str(caught.value)


def test_a_registered_instance_is_found_by_name_and_port(names: Names) -> None:
    web, srv = names.make("web", "A"), names.make("_web._tcp", "SRV")
    names.register(web, "task", IPV4="10.42.1.9")
    names.register(srv, "task", IPV4="10.42.1.9", PORT="32768")
    assert names.ask("web") == ["5 10.42.1.9"]
    target = f"task._web._tcp.{names.domain}."
    assert names.ask("_web._tcp", "SRV") == [f"5 1 1 32768 {target}"]
    assert names.ask("task._web._tcp") == ["5 10.42.1.9"]
    names.cloud_map.deregister_instance(ServiceId=web, InstanceId="task")
    assert names.ask("web") == []


def test_registering_again_replaces_the_instance(names: Names) -> None:
    web = names.make("web", "A")
    names.register(web, "task", IPV4="10.42.1.9")
    names.register(web, "task", IPV4="10.42.1.10")
    assert names.ask("web") == ["5 10.42.1.10"]
    assert len(names.cloud_map.list_instances(ServiceId=web)["Instances"]) == 1


def test_an_unhealthy_instance_is_left_out(names: Names) -> None:
    web = names.make("web", "A", HealthCheckCustomConfig={"FailureThreshold": 1})
    names.register(web, "one", IPV4="10.42.1.1")
    names.register(web, "two", IPV4="10.42.1.2")
    names.cloud_map.update_instance_custom_health_status(
        ServiceId=web, InstanceId="one", Status="UNHEALTHY"
    )
    assert names.ask("web") == ["5 10.42.1.2"]


def test_a_weighted_service_gives_one_instance(names: Names) -> None:
    web = names.make("web", "A", policy="WEIGHTED")
    for number in range(3):
        names.register(web, f"task{number}", IPV4=f"10.42.1.{number}")
    assert len(names.ask("web")) == 1


def test_a_vpc_sees_its_own_names_only(names: Names, api: Api, endpoint: str) -> None:
    names.register(names.make("web", "A"), "task", IPV4="10.42.1.9")
    other = Names(api, endpoint)
    assert [zone.name for zone in other.api.names_in(other.vpc).zones] == [f"{other.domain}."]


def test_a_vpc_can_have_several_namespaces_of_different_names(names: Names) -> None:
    create = names.cloud_map.create_private_dns_namespace
    create(Name=f"second.{names.domain}", Vpc=names.vpc)
    refused("NamespaceAlreadyExists", create, Name=names.domain, Vpc=names.vpc)


def test_a_service_has_one_name_and_creating_it_again_is_repeatable(names: Names) -> None:
    first = names.make("web", "A", CreatorRequestId="me/web")
    assert names.make("web", "A", CreatorRequestId="me/web") == first
    refused("ServiceAlreadyExists", names.make, "web", "A")


def test_address_and_port_need_two_services(names: Names) -> None:
    refused("InvalidInput", names.make, "web", "A", "SRV")


@pytest.mark.parametrize("record", [{"Type": "TXT", "TTL": 5}, {"Type": "A"}, {"TTL": 5}])
def test_a_service_keeps_records_that_can_be_answered(
    names: Names, record: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: registrations and the VPC's resolver fail from then on."""
    service = names.make("web", "A")
    monkeypatch.setattr("botocore.validate.ParamValidator.validate", lambda *_: ValidationErrors())
    config = {"DnsConfig": {"DnsRecords": [record]}}
    refused("InvalidInput", names.cloud_map.update_service, Id=service, Service=config)
    names.register(service, "task", IPV4="10.42.1.9")
    assert names.ask("web") == ["5 10.42.1.9"]


def test_a_service_has_a_known_routing_policy(names: Names) -> None:
    with pytest.raises(ClientError, match="routing policy"):
        names.make("web", "A", policy="FAILOVER")


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [("SRV", {"IPV4": "10.42.1.9"}), ("SRV", {"PORT": "0"}), ("A", {"IPV4": "10.42.1"}), ("A", {})],
)
def test_an_instance_needs_the_attributes_of_its_records(
    names: Names, kind: str, attributes: dict[str, str]
) -> None:
    refused("InvalidInput", names.register, names.make("web", kind), "task", **attributes)


def test_an_alias_that_the_resolver_does_not_answer_is_refused(names: Names) -> None:
    service, given = names.make("web", "A"), {"AWS_ALIAS_DNS_NAME": "lb.example."}
    call = names.cloud_map.register_instance
    why = refused("InvalidInput", call, ServiceId=service, InstanceId="a", Attributes=given)
    assert "AWS_ALIAS_DNS_NAME" in why


def test_a_service_has_a_limited_number_of_instances(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud_map_patches, "INSTANCES_OF_SERVICE", 1)
    web = names.make("web", "A")
    names.register(web, "one", IPV4="10.42.1.1")
    names.register(web, "one", IPV4="10.42.1.2")
    refused("ResourceLimitExceeded", names.register, web, "two", IPV4="10.42.1.2")


def test_a_namespace_has_a_limited_number_of_instances(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cloud_map_patches, "INSTANCES_OF_NAMESPACE", 1)
    names.register(names.make("web", "A"), "one", IPV4="10.42.1.1")
    said = refused(
        "ResourceLimitExceeded", names.register, names.make("api", "A"), "two", IPV4="10.42.1.2"
    )
    assert "namespace" in said


def test_what_is_used_cannot_be_deleted(names: Names) -> None:
    web = names.make("web", "A")
    names.register(web, "task", IPV4="10.42.1.9")
    refused("ResourceInUse", names.cloud_map.delete_service, Id=web)
    refused("ResourceInUse", names.cloud_map.delete_namespace, Id=names.namespace)
    names.cloud_map.deregister_instance(ServiceId=web, InstanceId="task")
    names.cloud_map.delete_service(Id=web)
    refused("ServiceNotFound", names.cloud_map.delete_service, Id=web)
    names.cloud_map.delete_namespace(Id=names.namespace)
    zones = names.route53.list_hosted_zones_by_name(DNSName=f"{names.domain}.")["HostedZones"]
    assert f"{names.domain}." not in [zone["Name"] for zone in zones]


def test_operations_on_instances_are_listed(names: Names) -> None:
    web = names.make("web", "A")
    given = {"AWS_INSTANCE_IPV4": "10.42.1.9"}
    operation = names.cloud_map.register_instance(
        ServiceId=web, InstanceId="task", Attributes=given
    )["OperationId"]
    listed = names.cloud_map.list_operations()["Operations"]
    assert operation in [each["Id"] for each in listed]


def test_the_revision_grows_with_every_change(names: Names) -> None:
    web = names.make("web", "A")
    seen = [names.revision("web")]
    for address in ("10.42.1.1", "10.42.1.2"):
        names.register(web, "task", IPV4=address)
        seen.append(names.revision("web"))
    names.cloud_map.deregister_instance(ServiceId=web, InstanceId="task")
    seen.append(names.revision("web"))
    assert seen == sorted(set(seen))


def test_services_are_listed_by_namespace_and_in_pages(
    names: Names, api: Api, endpoint: str
) -> None:
    other = Names(api, endpoint)
    other.make("foreign", "A")
    made = {names.make(f"s{number}", "A") for number in range(3)}
    pages = names.cloud_map.get_paginator("list_services").paginate(
        Filters=[{"Name": "NAMESPACE_ID", "Values": [names.namespace], "Condition": "EQ"}],
        PaginationConfig={"PageSize": 2},
    )
    found = [[each["Id"] for each in page["Services"]] for page in pages]
    assert [len(page) for page in found] == [2, 1]
    assert {each for page in found for each in page} == made


def test_records_of_a_hosted_zone_are_answered(names: Names) -> None:
    zone = names.zone()
    names.change(
        zone,
        ("CREATE", "db", to("10.42.1.5", "10.42.1.6")),
        ("CREATE", "many", to("10.42.2.1", SetIdentifier="a", MultiValueAnswer=True)),
        ("CREATE", "many", to("10.42.2.2", SetIdentifier="b", MultiValueAnswer=True)),
        ("CREATE", "one", to("10.42.3.1", SetIdentifier="a", Weight=1)),
        ("CREATE", "one", to("10.42.3.2", SetIdentifier="b", Weight=0)),
        (
            "CREATE",
            "www",
            {
                "AliasTarget": {
                    "HostedZoneId": "Z1",
                    "DNSName": "10.42.0.9",
                    "EvaluateTargetHealth": False,
                }
            },
        ),
    )
    assert names.ask("db.z") == ["60 10.42.1.5", "60 10.42.1.6"]
    assert sorted(names.ask("many.z")) == ["60 10.42.2.1", "60 10.42.2.2"]
    assert names.ask("one.z") == ["60 10.42.3.1"]
    assert names.ask("www.z") == ["60 10.42.0.9"]


def test_a_batch_is_done_as_a_whole_or_not_at_all(names: Names) -> None:
    zone = names.zone()
    names.change(zone, ("CREATE", "db", to("10.42.1.5")))
    said = refused(
        "InvalidChangeBatch",
        names.change,
        zone,
        ("CREATE", "new", to("10.42.1.7")),
        ("CREATE", "db", to("10.42.1.6")),
    )
    assert "it already exists" in said
    assert names.ask("new.z") == []


def test_a_deletion_takes_exactly_what_it_names(names: Names) -> None:
    zone = names.zone()
    mine = to("10.42.1.5", SetIdentifier="me", MultiValueAnswer=True)
    names.change(zone, ("CREATE", "a", mine), ("CREATE", "b", mine))
    stale = to("10.42.1.6", SetIdentifier="me", MultiValueAnswer=True)
    assert "do not match" in refused(
        "InvalidChangeBatch", names.change, zone, ("DELETE", "a", stale)
    )
    names.change(zone, ("DELETE", "a", mine))
    assert (names.ask("a.z"), names.ask("b.z")) == ([], ["60 10.42.1.5"])
    assert "not found" in refused("InvalidChangeBatch", names.change, zone, ("DELETE", "a", mine))


def test_an_upsert_counts_twice(names: Names) -> None:
    zone = names.zone()
    batch = [("UPSERT", f"n{number}", to("10.42.1.5")) for number in range(501)]
    assert "limit of 1000" in refused("InvalidChangeBatch", names.change, zone, *batch)
    names.change(zone, *batch[:500])
