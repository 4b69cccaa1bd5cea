"""Patches for moto 5.2.5: network interfaces and Elastic IPs of a VPC.

Each function is one patch and says when it can be removed.
"""

from __future__ import annotations

import copy
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.elastic_ip_addresses import ElasticAddressBackend
from moto.ec2.models.elastic_network_interfaces import NetworkInterface, NetworkInterfaceBackend
from moto.ec2.models.instances import Instance, InstanceBackend
from moto.ec2.utils import EC2_PREFIX_TO_RESOURCE


def apply() -> None:
    """Patch moto in this process; after ``swarmctl.lab.patches``."""
    _interfaces_take_addresses_of_their_subnet()
    _instances_use_the_interface_they_are_given()
    _tags_of_interfaces_need_a_new_one()
    _used_interfaces_are_not_deleted()
    _elastic_addresses_are_not_shown()
    _elastic_addresses_have_their_type()


def detach(instance: Any) -> None:
    """Free the interfaces that outlive a terminated instance, with their addresses.

    The instance keeps a copy, as moto's terminated instances keep what they had.
    """
    for index, own in list(instance.nics.items()):
        instance.nics[index] = copy.copy(own)
        if own.id in instance.ec2_backend.enis and own.instance is instance:
            own.instance = own.attachment_id = own.attach_time = own.device_index = None
            own.status = "available"


def _interfaces_take_addresses_of_their_subnet() -> None:
    """CreateNetworkInterface gives a random address, which an instance may have, and keeps none.

    Can be removed when ``NetworkInterfaceBackend`` reserves the address in the subnet.
    """
    original = NetworkInterfaceBackend.create_network_interface

    def create(self: Any, subnet: Any, private_ip_address: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("device_index") is not None:  # an instance's, which has reserved it
            return original(self, subnet, private_ip_address, *args, **kwargs)
        if not private_ip_address:
            private_ip_address = subnet.get_available_subnet_ip(instance=None)
        elif private_ip_address in subnet._subnet_ips:
            raise EC2ClientError("InvalidIPAddress.InUse", "Address is in use.")
        else:
            subnet.request_ip(private_ip_address, None)
        return original(self, subnet, private_ip_address, *args, **kwargs)

    NetworkInterfaceBackend.create_network_interface = create  # type: ignore[method-assign]  # patch


def _instances_use_the_interface_they_are_given() -> None:
    """An instance with an interface of one's own gets another address, zone, no VPC and no groups.

    Can be removed when ``Instance`` takes them from the interface.
    """
    original = Instance.__init__

    def init(self: Any, ec2_backend: Any, *args: Any, **kwargs: Any) -> None:
        own = _own(ec2_backend, kwargs.get("nics"))
        if own is None:
            original(self, ec2_backend, *args, **kwargs)
            return
        if own.instance is not None:
            why = f"Interface: [{own.id}] in use."
            raise EC2ClientError("InvalidNetworkInterface.InUse", why)
        own.subnet.del_subnet_ip(own.private_ip_address)  # the instance takes it again
        kwargs |= {"subnet_id": own.subnet.id, "private_ip": own.private_ip_address}
        original(self, ec2_backend, *args, **kwargs)
        self._private_ips.discard(own.private_ip_address)  # which it would give back at its end
        self.security_groups = list(own.group_set)

    Instance.__init__ = init  # type: ignore[method-assign]  # patch


def _own(ec2_backend: Any, nics: Any) -> Any:
    ids = [nic["NetworkInterfaceId"] for nic in nics or () if nic.get("NetworkInterfaceId")]
    return ec2_backend.get_network_interface(ids[0]) if ids else None


def _tags_of_interfaces_need_a_new_one() -> None:
    """EC2 refuses tags for interfaces where a request creates none, a launch template's too.

    Can be removed when moto refuses them.
    """
    original = InstanceBackend.run_instances

    def run_instances(self: Any, *args: Any, **kwargs: Any) -> Any:
        template = kwargs.get("launch_template")
        data = self._get_template_from_args(template).data if template else {}
        tagged = {s["ResourceType"] for s in data.get("TagSpecifications", ())}
        if "network-interface" in tagged and _own(self, kwargs.get("nics")):
            raise EC2ClientError(
                "InvalidParameterValue",
                "You cannot specify tags for network interfaces if there are no network interfaces "
                "being created by the request.",
            )
        return original(self, *args, **kwargs)

    InstanceBackend.run_instances = run_instances  # type: ignore[method-assign]  # patch


def _used_interfaces_are_not_deleted() -> None:
    """DeleteNetworkInterface deletes what an instance uses, and does not give back the address.

    Can be removed when moto refuses the one and does the other.
    """

    def delete(self: Any, eni_id: str) -> None:
        eni = self.get_network_interface(eni_id)
        if eni.instance is not None:
            why = f"Network interface '{eni_id}' is currently in use."
            raise EC2ClientError("InvalidParameterValue", why)
        remove(eni)

    def remove(self: Any) -> None:
        for address in self.ec2_backend.addresses:
            if address.eni is self:
                self.ec2_backend.disassociate_address(association_id=address.association_id)
        for each in self.private_ip_addresses:
            self.subnet.del_subnet_ip(each["PrivateIpAddress"])
        del self.ec2_backend.enis[self.id]

    NetworkInterfaceBackend.delete_network_interface = delete  # type: ignore[method-assign]  # patch
    NetworkInterface.delete = remove  # type: ignore[method-assign]  # at the end of its instance


def _elastic_addresses_are_not_shown() -> None:
    """An Elastic IP reaches nothing here, so an inventory must not use it.

    Permanent: the lab's machines are reached by their private addresses.
    """
    original = ElasticAddressBackend.associate_address

    def associate(self: Any, *args: Any, **kwargs: Any) -> Any:
        address = original(self, *args, **kwargs)
        if address.eni:
            address.eni.public_ip = None
        return address

    ElasticAddressBackend.associate_address = associate  # type: ignore[method-assign]  # patch


def _elastic_addresses_have_their_type() -> None:
    """DescribeTags calls them "vpc-elastic-ip", so amazon.aws tags them in every run.

    Can be removed when moto calls them as EC2 does.
    """
    EC2_PREFIX_TO_RESOURCE["eipalloc"] = "elastic-ip"
