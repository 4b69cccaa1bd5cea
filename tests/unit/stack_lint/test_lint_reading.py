"""Compose files are read as the docker CLI reads them (checked against docker 28.2.2)."""

from __future__ import annotations

from typing import Any

import pytest

from swarmctl.reading.yaml_nodes import YamlError
from swarmctl.stack.compose import acceptance, notations
from swarmctl.stack.compose import document as yamldoc
from swarmctl.stack.compose.check import Kind
from swarmctl.stack.compose.scalars import spelled
from swarmctl.stack.lint import suppress


def value(text: str) -> Any:
    return yamldoc.load(f"x: {text}\n".encode()).value["x"]


@pytest.mark.parametrize(
    ("written", "arrives"),
    [
        ("0755", "493"), ("0o17", "15"), ("08", "8"), ("0x1F", "31"), ("0b11", "3"),
        ("1_000", "1000"), ("3.10", "3.1"), ("1e3", "1000"), ("1e21", "1e+21"), (".5", "0.5"),
        ("1234567.0", "1.234567e+06"), ("123456.0", "123456"), ("0.00001", "1e-05"),
        ("22:22", "22:22"), ("yes", "yes"), ("~", "<nil>"), ("True", "true"), ("-.5", "-0.5"),
        ("2001-1-1", "2001-01-01 00:00:00 +0000 UTC"), ("2001-13-01", "2001-13-01"),
        ("18446744073709551615", "18446744073709551615"), ("1e400", "1e400"),
    ],
)  # fmt: skip
def test_plain_scalars_mean_what_yaml_v3_makes_of_them(written: str, arrives: str) -> None:
    assert spelled(value(written)) == arrives


def test_own_keys_win_over_merged_ones_and_the_first_merged_over_the_later() -> None:
    text = b"a: &a {k: 1, l: 1}\nb: &b {k: 2, m: 2}\nc:\n  k: 3\n  <<: [*a, *b]\n"
    assert yamldoc.load(text).value["c"] == {"k": 3, "l": 1, "m": 2}


def test_a_merged_key_is_found_where_it_is_written() -> None:
    document = yamldoc.load(b"a: &a\n  k: 1\nc:\n  <<: *a\n")
    assert document.locate(("c", "k"))[0].line == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"a: 1\na: 2\n", "'a' already defined"),
        (b"a: {1: x}\n", "not a string"),
        (b"a: *b\n", "unknown anchor"),
        (b"a: &b [*b]\n", "contains itself"),
        (b"a: {<<: 3}\n", "map merge requires"),
        (b"a: !!int x\n", "cannot decode"),
        (b"a: {{ x }}\n", "quote a template"),
        (b"\xff\xfe\xff", "not UTF-16"),
        (b"a: \xff\n", "not UTF-8"),
        (b"a: \x01\n", "control characters"),
        (b"- a\n", "must be a mapping"),
        (b"", "must be a mapping"),
        (b"a: " + b"[" * 5000, "deep"),
        (b"a: 1\n---\n@", "cannot start any token"),
        (b"a: 1\n...\n'b", "quoted scalar"),
    ],
)
def test_what_is_refused_is_refused_with_its_reason(text: bytes, words: str) -> None:
    with pytest.raises(YamlError) as caught:
        yamldoc.load(text)
    assert words in caught.value.message


def test_aliases_cannot_blow_up() -> None:
    bomb = "a0: &a0 [x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
    )
    with pytest.raises(YamlError, match="excessive aliasing"):
        yamldoc.load(bomb.encode())


@pytest.mark.parametrize(
    ("text", "ports"),
    [
        ("80", [(80, 0)]), ("8080:80", [(80, 8080)]), (":80", [(80, 0)]),
        ("8000-8001:80", [(80, 8000), (80, 8001)]), ("1.2.3.4:80:80/udp", [(80, 80)]),
        ("9090-9091:8080-8081", [(8080, 9090), (8081, 9091)]), ("[::1]:80:80", [(80, 80)]),
    ],
)  # fmt: skip
def test_ports_in_their_short_form(text: str, ports: list[tuple[int, int]]) -> None:
    assert [(port.target, port.published) for port in notations.ports(text)] == ports


@pytest.mark.parametrize("text", ["", "80:", "a:80", "80/icmp", "70000", "81-80", "1.2.3:80:80"])
def test_ports_that_cannot_be_read(text: str) -> None:
    with pytest.raises(notations.NotationError):
        notations.ports(text)


def interpolated(text: str, **environment: str) -> tuple[Any, list[Kind]]:
    document = yamldoc.load(f"services: {{a: {{image: '{text}'}}}}\n".encode())
    loaded = acceptance.load(document, environment, lambda _: None)
    return loaded.config["services"]["a"]["image"], [refusal.kind for refusal in loaded.refusals]


@pytest.mark.parametrize(
    ("text", "result", "problems"),
    [
        ("$A-$B", "1", []),  # `$A-…` is A with a default, and A is set
        ("$NONE", "", [Kind.UNSET]),
        ("${NONE:-x}", "x", []),
        ("${EMPTY-x}", "", []),
        ("${EMPTY:-x}", "x", []),
        ("$$A", "$A", []),
        ("${A:?needed}", "1", []),
        ("${NONE:?needed}", "${NONE:?needed}", [Kind.VARIABLE]),
        ("$1 $A", "1 1", []),  # Docker forgets the first fault when a later variable works
        ("$A $1", "$A $1", [Kind.VARIABLE]),
    ],
)
def test_variables_are_substituted_as_docker_does(
    text: str, result: str, problems: list[Kind]
) -> None:
    assert interpolated(text, A="1", EMPTY="") == (result, problems)


def test_disable_comments_reach_their_line_the_next_or_the_whole_file() -> None:
    text = "# swarmctl: disable=SW001\nservices:\n  a: 1  # swarmctl: disable=sw002,SW003 why\n"
    disabled = suppress.read(text + "  # swarmctl: disable=SW004\n\n  # other\n  b: 2\n  c: 3\n")
    assert disabled.covers("SW001", 99)
    assert disabled.covers("SW002", 3)
    assert disabled.covers("SW003", 3)
    assert disabled.covers("SW004", 7)
    assert not disabled.covers("SW002", 7)
    assert not disabled.covers("SW004", 8)
