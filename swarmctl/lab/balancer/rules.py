"""Rules of a listener as lines of HAProxy's configuration. Pure.

The first rule that matches sets ``txn.rule``; its transforms and its action look at that alone, so
the order of the kinds of lines does not matter.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/rule-condition-types.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import ip_address, ip_network

from swarmctl.lab.balancer.model import (
    Condition,
    FixedResponse,
    Forward,
    Listener,
    Redirect,
    Rewrite,
    Rule,
)

# Characters that mean nothing to HAProxy, neither in its files nor in its formats.
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=?&<>;+*@!")
_PLACEHOLDER = re.compile(r"#\{(protocol|host|port|path|query)\}")


def rule_lines(listener: Listener, operator: str, gateway: str) -> Iterator[str]:
    """The lines of a frontend that choose a rule and carry it out.

    Args:
        listener: the listener.
        operator: the operator's address for conditions on the source.
        gateway: the address that the operator's connections come from.
    """
    for number, rule in enumerate(listener.rules):
        tests = "".join(
            f" {{ {test} }}"
            for condition in rule.conditions
            for test in _tests(condition, operator, gateway)
        )
        unset = "!{ var(txn.rule) -m found }"
        yield f"http-request set-var(txn.rule) int({number}) if {unset}{tests}"
    lines = list[str]()
    for number, rule in enumerate(listener.rules):
        chosen = f"{{ var(txn.rule) -m int {number} }}"
        lines += (f"{line} if {chosen}" for line in map(_rewrite, rule.rewrites))
        lines += _action(rule, chosen, listener)
    # HAProxy chooses a backend last, and warns if that is not written last.
    yield from sorted(lines, key=lambda line: line.startswith("use_backend"))


def _tests(condition: Condition, operator: str, gateway: str) -> Iterator[str]:
    patterns = " ".join(f"'{_glob(value)}'" for value in condition.values)
    match condition.field:
        case "path-pattern":
            yield f"path -m reg {patterns}"
        case "host-header":
            yield f"req.hdr(host),host_only -m reg -i {patterns}"
        case "http-header":
            # The whole value: a comma does not separate two.
            yield f"req.fhdr({literal(condition.header)}) -m reg -i {patterns}"
        case "http-request-method":
            yield f"method -m str {' '.join(literal(value) for value in condition.values)}"
        case "source-ip":
            yield f"src {' '.join(_sources(condition.values, operator, gateway))}"
        case "query-string":
            pairs = [_pair(key, value) for key, value in condition.pairs]
            yield f"query -m reg -i {' '.join(pairs)}"


def _glob(pattern: str) -> str:
    """A pattern with ``*`` and ``?`` as a regular expression for the whole text."""
    return f"^{_glob_inside(pattern)}$"


def _glob_inside(pattern: str, any_character: str = ".") -> str:
    wild = {"*": f"{any_character}*", "?": any_character}
    return "".join(wild.get(c) or _in_regex(c) for c in pattern)


def _in_regex(character: str) -> str:
    if character.isascii() and character.isalnum():
        return character
    return _in_hex(character)


def _pair(key: str, value: str) -> str:
    """A parameter anywhere in the query; without a key, any parameter's key or value may match."""
    wanted = _glob_inside(value, "[^&]")
    name = f"{_glob_inside(key, '[^&=]')}=" if key else "(?:[^&=]*=)?"
    return f"'(?:^|&){name}{wanted}(?:&|$)'"


def _sources(values: Sequence[str], operator: str, gateway: str) -> Iterator[str]:
    for value in values:
        yield value
        if ip_address(operator) in ip_network(value, strict=False):
            yield gateway


def _rewrite(rewrite: Rewrite) -> str:
    """HAProxy replaces the whole text, so what is around the match is matched, too."""
    last = re.compile(rewrite.regex).groups + 2
    whole = f"(?s)^(.*?)(?:{rewrite.regex})(.*)$".replace("'", r"\x27")
    inside = re.sub(r"\$(\d)", lambda m: f"\0{int(m[1]) + 1}", rewrite.replace)
    replaced = _format(inside).replace(r"\x00", r"\\")
    what = "replace-pathq" if rewrite.of == "url-rewrite" else "replace-header host"
    return f"http-request {what} '{whole}' \\\\1{replaced}\\\\{last}"


def _action(rule: Rule, chosen: str, listener: Listener) -> Iterator[str]:
    match rule.action:
        case FixedResponse(status, kind, body):
            content = f" content-type {literal(kind or 'text/plain')} string {literal(body)}"
            yield f"http-request return status {status}{content if body else ''} if {chosen}"
        case Redirect(location, status):
            # Without a query, its question mark goes, too.
            without = location.replace("?#{query}", "")
            for where, test in ((location, "{ query -m len gt 0 }"), (without, "")):
                to = _location(where, listener)
                yield f"http-request redirect location {to} code {status} if {chosen} {test}"
        case Forward(((key, _),)):
            yield f"use_backend {key} if {chosen}"
        case Forward(groups):
            yield from _weighted(groups, chosen)


def _weighted(groups: Sequence[tuple[str, int]], chosen: str) -> Iterator[str]:
    total, bound = sum(weight for _, weight in groups), 0
    if not total:
        yield f"http-request return status 503 if {chosen}"
        return
    yield f"http-request set-var(txn.share) rand({total}) if {chosen}"
    for key, weight in groups:
        bound += weight
        if weight:
            yield f"use_backend {key} if {chosen} {{ var(txn.share) -m int lt {bound} }}"


def _location(location: str, listener: Listener) -> str:
    values = {
        "protocol": "https" if listener.certificates else "http",
        "host": "%[req.hdr(host),host_only]",
        "port": str(listener.port),
        "path": "%[path,regsub(^/,)]",
        "query": "%[query]",
    }
    parts = _PLACEHOLDER.split(location)
    return "".join(values[part] if place % 2 else _format(part) for place, part in enumerate(parts))


def literal(text: str) -> str:
    """A text as one word of HAProxy's configuration."""
    return '""' if not text else "".join(c if c in _PLAIN else _in_hex(c) for c in text)


def _format(text: str) -> str:
    """A text as a part of a log format, where ``%`` has a meaning."""
    return "".join(c if c in _PLAIN else _in_hex(c) for c in text.replace("%", "%%"))


def _in_hex(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode())
