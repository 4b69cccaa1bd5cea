"""A load balancer's state in the API gives the HAProxy that behaves like it."""

from __future__ import annotations

import re

import pytest

from swarmctl.lab.balancer.config import config, files
from swarmctl.lab.balancer.haproxy import with_servers
from swarmctl.lab.balancer.model import (
    Condition,
    FixedResponse,
    Forward,
    HealthCheck,
    Listener,
    LoadBalancer,
    Redirect,
    Rewrite,
    Rule,
    TargetGroup,
)

OPERATOR, GATEWAY = "203.0.113.7", "10.42.0.1"
NOT_FOUND = Rule(FixedResponse(404, "text/plain", "no such service"))


def lines(*rules: Rule, groups: tuple[TargetGroup, ...] = (), pem: str = "") -> list[str]:
    listener = Listener(80, (*rules, NOT_FOUND), (pem,) if pem else ())
    balancer = LoadBalancer("lb-1", "app", "10.42.1.9", "vpc-1", (), (listener,), groups)
    return [line.strip() for line in config(balancer, OPERATOR, GATEWAY).splitlines()]


def matching(condition: Condition) -> list[re.Pattern[str]]:
    """The patterns that the configuration has for a condition, any of which must match."""
    rule = Rule(Forward((("web", 1),)), (condition,))
    (line,) = (li for li in lines(rule) if "int(0)" in li)
    flags = re.IGNORECASE if " -i " in line else re.NOFLAG
    return [re.compile(found, flags) for found in re.findall(r"'([^']*)'", line)]


def holds(condition: Condition, text: str) -> bool:
    return any(pattern.search(text) for pattern in matching(condition))


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/auth/*", "/auth/", True),
        ("/auth/*", "/auth/login/now", True),
        ("/auth/*", "/auth", False),
        ("/auth/*", "/x/auth/y", False),
        ("/auth/*", "/AUTH/y", False),
        ("/img/?.png", "/img/a.png", True),
        ("/img/?.png", "/img/aa.png", False),
        ("/img/?.png", "/img/a_png", False),
        ("/it's (here)|$", "/it's (here)|$", True),
        ("*", "/anything", True),
    ],
)
def test_a_path_pattern_is_for_the_whole_path_and_for_its_case(
    pattern: str, path: str, matches: bool
) -> None:
    assert holds(Condition("path-pattern", (pattern,)), path) is matches


def test_a_host_matches_in_any_case_and_any_of_several_values_is_enough() -> None:
    hosts = Condition("host-header", ("*.example.com", "example.org"))
    assert holds(hosts, "WWW.Example.com")
    assert holds(hosts, "example.org")
    assert not holds(hosts, "www.example.org")


def test_a_query_parameter_is_found_at_any_place() -> None:
    wanted = Condition("query-string", pairs=(("version", "v?"),))
    assert holds(wanted, "a=1&version=v2&b=3")
    assert not holds(wanted, "version=v22")
    assert not holds(wanted, "aversion=v2")
    assert holds(Condition("query-string", pairs=(("", "*debug*"),)), "x=1&mode=debugging")


def test_all_conditions_of_a_rule_must_hold() -> None:
    rule = Rule(
        Forward((("web", 1),)),
        (Condition("http-request-method", ("GET", "HEAD")), Condition("path-pattern", ("/a",))),
    )
    (line,) = (li for li in lines(rule) if "int(0)" in li)
    assert "{ method -m str GET HEAD } { path -m reg '^\\x2fa$' }" in line


def test_the_operators_address_is_the_gateways_in_the_lab() -> None:
    rule = Rule(Forward((("web", 1),)), (Condition("source-ip", ("203.0.113.0/24",)),))
    assert f"{{ src 203.0.113.0/24 {GATEWAY} }}" in "\n".join(lines(rule))


def test_the_first_matching_rule_decides_whatever_its_action_is() -> None:
    forward = Rule(Forward((("web", 1),)), (Condition("path-pattern", ("/a",)),))
    moved = Rule(Redirect("https://#{host}:443/#{path}?#{query}", 301))
    found = lines(forward, moved)
    chosen = [li for li in found if "set-var(txn.rule)" in li]
    assert [li.split()[2] for li in chosen] == ["int(0)", "int(1)", "int(2)"]
    assert all("if !{ var(txn.rule) -m found }" in li for li in chosen)
    assert "use_backend web if { var(txn.rule) -m int 0 }" in found
    redirect, without_query = (li for li in found if "redirect" in li)
    assert "?" not in without_query
    assert redirect.startswith(
        "http-request redirect location https://%[req.hdr(host),host_only]:443/"
    )
    assert "code 301 if { var(txn.rule) -m int 1 } { query -m len gt 0 }" in redirect


def test_texts_of_users_cannot_add_words_or_lines() -> None:
    body = 'a "b" # c\n  use_backend other %[env(HOME)]'
    rule = Rule(FixedResponse(200, "text/plain", body))
    (line,) = (li for li in lines(rule) if "return status 200" in li)
    words = "http-request return status 200 content-type text/plain string BODY if { V -m int 0 }"
    assert len(line.split(" ")) == len(words.split(" "))
    assert not any(li.startswith("use_backend") for li in lines(rule))


def test_a_rewrite_replaces_what_matched_and_leaves_the_rest() -> None:
    rule = Rule(Forward((("web", 1),)), (), (Rewrite("url-rewrite", "^/auth/(.*)$", "/$1"),))
    (line,) = (li for li in lines(rule) if "replace-pathq" in li)
    _, _, regex, replacement, *_ = line.split()
    assert re.sub(regex.strip("'"), replacement.replace("\\\\", "\\"), "/auth/x?y=1") == "/x?y=1"


def test_weights_share_the_requests() -> None:
    found = lines(Rule(Forward((("blue", 3), ("off", 0), ("green", 1)))))
    assert "http-request set-var(txn.share) rand(4) if { var(txn.rule) -m int 0 }" in found
    assert [li.split()[1] for li in found if li.startswith("use_backend")] == ["blue", "green"]
    assert any("blue" in li and "lt 3" in li for li in found)
    assert any("green" in li and "lt 4" in li for li in found)


def test_nothing_is_tried_twice() -> None:
    text = "\n".join(lines(groups=(TargetGroup("web", HealthCheck()),)))
    assert "retries 0" in text
    assert "redispatch" not in text
    assert "option http-server-close" in text


def test_a_listener_with_certificates_speaks_tls() -> None:
    balancer = LoadBalancer(
        "lb-1", "app", "10.42.1.9", "vpc-1", (), (Listener(443, (NOT_FOUND,), ("pem",)),)
    )
    text = config(balancer, OPERATOR, GATEWAY)
    assert "bind :443 ssl alpn h2,http/1.1 crt certificates/443-0.pem" in text
    assert "X-Forwarded-Proto https" in text
    assert files(balancer)["certificates/443-0.pem"] == "pem"


def test_a_new_process_has_its_servers_from_the_first_request() -> None:
    text = "\n".join(lines(groups=(TargetGroup("web", HealthCheck()),)))
    ready = {
        "web/i-1:80_10.42.1.4": True,
        "web/i-2:80_10.42.1.5": False,
        "api/i-1:80_10.42.1.4": True,
    }
    servers = [
        li.strip()
        for li in with_servers(text, ready, {"web": ""}).splitlines()
        if "server i-" in li
    ]
    assert [" ".join(li.split()) for li in servers] == [
        "server i-1:80_10.42.1.4 10.42.1.4:80",
        "server i-2:80_10.42.1.5 10.42.1.5:80 disabled",
    ]
