"""When a service is as it should be, and what is said when it is not."""

from __future__ import annotations

from typing import Any

import pytest

from swarmctl.reading.secrets import MASK
from swarmctl.stack.deploy.specs import differences, normal

# As docker CLI 26 sends it, and as Engine 26 gives it back.
SENT: dict[str, Any] = {
    "Name": "shop_web",
    "Labels": {"com.docker.stack.image": "httpd:2.4", "com.docker.stack.namespace": "shop"},
    "TaskTemplate": {
        "ContainerSpec": {
            "Image": "httpd:2.4@sha256:aa",
            "Env": ["A=1", "DB_PASSWORD=x"],
            "Privileges": {"CredentialSpec": None, "SELinuxContext": None},
            "Secrets": [{"File": {"Name": "key"}, "SecretID": "new-k", "SecretName": "k"}],
        },
        "Resources": {},
        "Placement": {"Constraints": ["node.role == worker"]},
        "Networks": [{"Target": "shop_inside", "Aliases": ["web"]}],
        "ForceUpdate": 0,
    },
    "Mode": {"Replicated": {"Replicas": 2}},
    "EndpointSpec": {"Ports": [{"TargetPort": 80, "PublishedPort": 8080}]},
}
GIVEN: dict[str, Any] = {
    "Name": "shop_web",
    "Labels": {"com.docker.stack.image": "httpd:2.4", "com.docker.stack.namespace": "shop"},
    "TaskTemplate": {
        "ContainerSpec": {
            "Image": "httpd:2.4@sha256:aa",
            "Env": ["A=1", "DB_PASSWORD=x"],
            "Isolation": "default",
            "Secrets": [{"File": {"Name": "key"}, "SecretID": "abc", "SecretName": "k"}],
        },
        "Resources": {"Limits": {}, "Reservations": {}},
        "RestartPolicy": {"Condition": "any", "Delay": 5_000_000_000, "MaxAttempts": 0},
        "Placement": {
            "Constraints": ["node.role == worker"],
            "Platforms": [{"Architecture": "amd64", "OS": "linux"}],
        },
        "Networks": [{"Target": "net1", "Aliases": ["web"]}],
        "ForceUpdate": 0,
        "Runtime": "container",
    },
    "Mode": {"Replicated": {"Replicas": 2}},
    "EndpointSpec": {
        "Mode": "vip",
        "Ports": [
            {
                "Protocol": "tcp",
                "TargetPort": 80,
                "PublishedPort": 8080,
                "PublishMode": "ingress",
            }
        ],
    },
}
NETWORKS = {"net1": "shop_inside"}


def changed(**container: Any) -> list[str]:
    spec = {
        **SENT,
        "TaskTemplate": {
            **SENT["TaskTemplate"],
            "ContainerSpec": {**SENT["TaskTemplate"]["ContainerSpec"], **container},
        },
    }
    return [str(d) for d in differences(normal(GIVEN, NETWORKS), normal(spec, NETWORKS))]


def test_defaults_of_the_engine_are_not_a_difference() -> None:
    assert differences(normal(GIVEN, NETWORKS), normal(SENT, NETWORKS)) == ()


def test_another_network_name_is_a_difference() -> None:
    found = differences(normal(GIVEN, {"net1": "shop_other"}), normal(SENT, NETWORKS))
    assert any("shop_inside" in str(difference) for difference in found)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("RestartPolicy", {"Condition": "none"}),
        ("RestartPolicy", {"Condition": "any", "Delay": 0}),
        ("Resources", {"Limits": {"MemoryBytes": 1 << 26}}),
        ("ForceUpdate", 1),
        ("Placement", {}),
        ("Networks", []),
    ],
)
def test_an_explicit_value_is_a_difference(path: str, value: Any) -> None:
    spec = {**SENT, "TaskTemplate": {**SENT["TaskTemplate"], path: value}}
    assert differences(normal(GIVEN, NETWORKS), normal(spec, NETWORKS))


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ({"Replicated": {"Replicas": 0}}, "Mode.Replicas: 2 → 0"),
        ({"Replicated": {}}, "Mode.Replicas: 2 → 1"),
        ({"Global": {}}, "Mode.Kind: Replicated → Global"),
    ],
)
def test_modes_and_replicas_are_compared(mode: dict[str, Any], said: str) -> None:
    found = differences(normal(GIVEN, NETWORKS), normal({**SENT, "Mode": mode}, NETWORKS))
    assert said in [str(difference) for difference in found]


def test_init_false_is_not_the_same_as_unset() -> None:
    assert changed(Init=False) == ["Init: False"]


def test_environment_is_compared_by_variable_and_secrets_are_masked() -> None:
    lines = changed(Env=["A=2", "DB_PASSWORD=y", "URL=postgres://app:pw@db/app", "KEY_FILE=/k"])
    assert lines == [
        "Env.A: 1 → 2",
        f"Env.DB_PASSWORD: {MASK} → {MASK}",
        "Env.KEY_FILE: /k",
        f"Env.URL: postgres://app:{MASK}@db/app",
    ]


def test_a_secret_in_a_command_line_is_masked() -> None:
    (line,) = changed(Args=["serve", "--password=x"])
    assert line == f"Args: serve {MASK}"


def test_digests_are_shortened() -> None:
    (line,) = changed(Image="httpd:2.6@sha256:" + "ab" * 32)
    assert line == f"Image: httpd:2.4@sha256:aa → httpd:2.6@sha256:{'ab' * 6}"


def test_two_entries_of_the_same_kind_do_not_hide_each_other() -> None:
    ports = [{"TargetPort": 80, "PublishedPort": 8080}, {"TargetPort": 80, "PublishedPort": 81}]
    spec = {**SENT, "EndpointSpec": {"Ports": ports}}
    found = differences(normal(GIVEN, NETWORKS), normal(spec, NETWORKS))
    assert [d.new for d in found] == [81, 80]
