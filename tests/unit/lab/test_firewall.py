"""Security groups become rules: what no rule opens stays closed."""

import pytest

from swarmctl.lab.api import Ec2Instance, Rule, View
from swarmctl.lab.balancer.model import LoadBalancer
from swarmctl.lab.firewall import OPERATOR, compile_rules, gateway_of

VPC = {"vpc-1": "10.42.0.0/16"}


def instance(name: str, ip: str, *groups: str, state: str = "running") -> Ec2Instance:
    return Ec2Instance(name, name, state, "ami-1", ip, "vpc-1", groups)


def compiled(*rules: Rule, others: tuple[Ec2Instance, ...] = ()) -> str:
    me = instance("i-1", "10.42.1.4", "sg-1")
    return compile_rules(me, View((me, *others), VPC, {"sg-1": rules}))


def accepts(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith("ip saddr {")]


WEB_AND_SSH = """\
table inet lab_security_groups
delete table inet lab_security_groups
table inet lab_security_groups {
  chain from_operator {
    tcp dport 22-22 accept
    drop
  }
  chain ingress {
    type filter hook prerouting priority mangle; policy accept;
    iifname != "eth0" accept
    ct direction reply accept
    ct state related accept
    ip saddr 10.42.0.1 goto from_operator
    ip saddr { 10.42.0.0/16 } tcp dport 80-81 accept
    ip saddr { 203.0.113.7/32 } tcp dport 22-22 accept
    drop
  }
}
"""


def test_the_script_replaces_the_table_and_drops_what_no_line_before_accepts() -> None:
    """Order decides: answers first, then the operator alone, then the network, at last nothing."""
    web = Rule("tcp", 80, 81, cidr="10.42.0.0/16")
    ssh = Rule("tcp", 22, 22, cidr=f"{OPERATOR}/32")
    assert compiled(web, ssh) == WEB_AND_SSH


def test_without_a_rule_nothing_is_accepted() -> None:
    text = compiled()
    assert accepts(text) == []
    assert text.count("    drop\n") == 2


def test_a_group_without_rules_opens_nothing() -> None:
    me = instance("i-1", "10.42.1.4", "sg-new")
    assert compile_rules(me, View((me,), VPC, {})) == compiled()


def test_a_group_reference_becomes_the_addresses_of_its_living_members() -> None:
    text = compiled(
        Rule("tcp", 2377, 2377, group="sg-1"),
        others=(
            instance("i-2", "10.42.1.20", "sg-1"),
            instance("i-3", "10.42.1.9", "sg-1", state="terminated"),
            instance("i-4", "10.42.1.10", "sg-2"),
        ),
    )
    assert accepts(text) == ["ip saddr { 10.42.1.4, 10.42.1.20 } tcp dport 2377-2377 accept"]


def test_a_group_without_members_opens_nothing() -> None:
    ssh, none = Rule("tcp", 22, 22, cidr="10.42.0.0/16"), Rule("udp", 4789, 4789, group="sg-9")
    assert compiled(none, ssh) == compiled(ssh)


@pytest.mark.parametrize(
    ("rule", "match"),
    [
        (Rule("tcp", 80, 443, cidr="10.42.0.0/16"), " tcp dport 80-443"),
        (Rule("udp", 4789, 4789, cidr="10.42.0.0/16"), " udp dport 4789-4789"),
        (Rule("icmp", 0, -1, cidr="10.42.0.0/16"), " icmp type 0"),
        (Rule("icmp", 8, -1, cidr="10.42.0.0/16"), " icmp type 8"),
        (Rule("icmp", -1, -1, cidr="10.42.0.0/16"), " meta l4proto icmp"),
        (Rule("50", -1, -1, cidr="10.42.0.0/16"), " meta l4proto 50"),  # ESP
        (Rule("132", 80, 80, cidr="10.42.0.0/16"), " meta l4proto 132"),  # SCTP: ports not read
        (Rule("all", -1, -1, cidr="10.42.0.0/16"), ""),
    ],
)
def test_a_rule_accepts_its_protocol_and_ports_only(rule: Rule, match: str) -> None:
    assert accepts(compiled(rule)) == [f"ip saddr {{ 10.42.0.0/16 }}{match} accept"]


def test_the_operator_is_accepted_only_by_a_rule_for_its_address() -> None:
    ssh_for_the_vpc = Rule("tcp", 22, 22, cidr="10.42.0.0/16")
    ssh_for_the_operator = Rule("tcp", 22, 22, cidr=f"{OPERATOR}/32")
    operator_chain = "chain from_operator {\n    drop"
    assert operator_chain in compiled(ssh_for_the_vpc)
    assert "chain from_operator {\n    tcp dport 22-22 accept" in compiled(ssh_for_the_operator)


def test_traffic_from_the_gateway_never_reaches_the_rules_for_the_network() -> None:
    text = compiled(Rule("all", -1, -1, cidr="0.0.0.0/0"))
    to_operator = text.index("ip saddr 10.42.0.1 goto from_operator")
    assert to_operator < text.index("ip saddr { 0.0.0.0/0 }")
    assert gateway_of("10.42.0.0/16") == "10.42.0.1"


def test_the_same_permission_in_two_groups_is_written_once() -> None:
    me = instance("i-1", "10.42.1.4", "sg-1", "sg-2")
    rule = Rule("tcp", 80, 80, cidr="10.0.0.0/8")
    text = compile_rules(me, View((me,), VPC, {"sg-1": (rule,), "sg-2": (rule,)}))
    assert len(accepts(text)) == 1


def test_a_load_balancer_is_a_member_of_its_groups_and_has_rules_of_its_own() -> None:
    balancer = LoadBalancer("lb-1", "app", "10.42.1.30", "vpc-1", ("sg-lb",))
    node = instance("i-1", "10.42.1.4", "sg-node")
    rules: dict[str, tuple[Rule, ...]] = {
        "sg-node": (Rule("tcp", 32768, 60999, group="sg-lb"),),
        "sg-lb": (Rule("tcp", 80, 80, cidr="0.0.0.0/0"),),
    }
    view = View((node,), VPC, rules, (balancer,))
    assert accepts(compile_rules(node, view)) == [
        "ip saddr { 10.42.1.30 } tcp dport 32768-60999 accept"
    ]
    assert accepts(compile_rules(balancer, view)) == [
        "ip saddr { 0.0.0.0/0 } tcp dport 80-80 accept"
    ]
    assert "    tcp dport 80-80 accept\n    drop" in compile_rules(balancer, view)  # the operator
