"""Consul's filter expressions: ``Service.Meta.version == "2" and "blue" in Service.Tags``. Pure.

https://developer.hashicorp.com/consul/api-docs/features/filtering; the grammar is go-bexpr's.
An expression that is not understood is an error: ignored, it would give too many answers.
Consul's regular expressions take linear time, Python's may take years: ``matches`` is limited.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Test = Callable[[Mapping[str, Any]], bool]

_TOKEN = re.compile(
    r'\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?P<sign>==|!=|\(|\))'
    r'|(?P<word>[^\s()"`=!]+(?:\."[^"]*"|\["[^"]*"\])*))'
)
_MISSING = object()
_END = ""
_LONGEST = 2000  # characters of an expression
_DEEPEST = 50  # parentheses and negations
# What a regular expression may cost: a repetition 2, an alternative 1. A group cannot be repeated.
_COSTLIEST = 6
_LONGEST_MATCHED = 128  # characters
_REPETITION = re.compile(r"[*+?{]")
_NOT_OFFERED = re.compile(r"\)[*+?{]|\(\?|\\[0-9]")


class FilterError(ValueError):
    """The expression cannot be understood, or names a field that does not exist."""


def parse(expression: str) -> Test:
    """The expression as a test of an object of the API.

    Raises:
        FilterError: it is none; the test raises it too, for an unknown field.
    """
    return _Parser(expression).parse()


class _Parser:
    def __init__(self, expression: str) -> None:
        if len(expression) > _LONGEST:
            raise FilterError(f"it has more than {_LONGEST} characters")
        self._tokens = list(_tokens(expression))
        self._at = 0
        if sum(token in ("not", "(") for token in self._tokens) > _DEEPEST:
            raise FilterError(f"it has more than {_DEEPEST} parentheses and negations")

    def parse(self) -> Test:
        test = self._either()
        if self._next != _END:
            raise FilterError(f"unexpected {self._next}")
        return test

    @property
    def _next(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else _END

    def _take(self) -> str:
        token = self._next
        if token == _END:
            raise FilterError("the expression ends too early")
        self._at += 1
        return token

    def _taken(self, *words: str) -> bool:
        if self._tokens[self._at : self._at + len(words)] != list(words):
            return False
        self._at += len(words)
        return True

    def _either(self) -> Test:
        tests = [self._both()]
        while self._taken("or"):
            tests.append(self._both())
        return lambda item: any(test(item) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._taken("and"):
            tests.append(self._one())
        return lambda item: all(test(item) for test in tests)

    def _one(self) -> Test:
        if self._taken("not"):
            return _negated(self._one())
        if self._taken("("):
            test = self._either()
            if not self._taken(")"):
                raise FilterError("a closing parenthesis is missing")
            return test
        return self._match()

    def _match(self) -> Test:
        first = self._take()
        if self._taken("in"):
            return _contains(_selector(self._take()), _value(first))
        if self._taken("not", "in"):
            return _negated(_contains(_selector(self._take()), _value(first)))
        field = _selector(first)
        negative = self._next == "!=" or self._taken("not")
        for word, make in _COMPARISONS.items():
            if self._taken(word):
                test = make(field, _value(self._take()))
                return _negated(test) if negative else test
        if self._taken("is", "empty"):
            return _is_empty(field)
        if self._taken("is", "not", "empty"):
            return _negated(_is_empty(field))
        raise FilterError(f"unknown operator {self._next or 'at the end'}")


def _tokens(expression: str) -> Iterator[str]:
    at, end = 0, len(expression.rstrip())
    while at < end:
        found = _TOKEN.match(expression, at)
        if not found:
            raise FilterError(f"cannot read {expression[at:].strip()!r}")
        at = found.end()
        yield found[0].strip()


def _value(token: str) -> str:
    if token.startswith('"'):
        return re.sub(r"\\(.)", r"\1", token[1:-1])
    return token.strip("`")


def _selector(token: str) -> tuple[str, ...]:
    """The keys of ``Service.Meta.version`` or ``Meta["a.b"]``."""
    if token.startswith(('"', "`")):
        raise FilterError(f"{token} is a text where a field is expected")
    quoted = re.findall(r'\."([^"]*)"|\["([^"]*)"\]', token)
    plain = re.sub(r'\."[^"]*"|\["[^"]*"\]', "", token)
    return (*plain.split("."), *(one or other for one, other in quoted))


def _get(item: Mapping[str, Any], field: tuple[str, ...]) -> Any:
    found: Any = item
    for depth, key in enumerate(field):
        if not isinstance(found, Mapping):
            raise FilterError(f"{'.'.join(field)} is no field")
        inside = found.get(key, _MISSING)
        if inside is _MISSING:
            # Meta is a map: a missing key is no value. All else has the fields it has.
            if depth and field[depth - 1] in ("Meta", "NodeMeta", "ServiceMeta"):
                return _MISSING
            raise FilterError(f"{'.'.join(field)} is no field")
        found = inside
    return found


def _negated(test: Test) -> Test:
    return lambda item: not test(item)


def _equals(field: tuple[str, ...], value: str) -> Test:
    def test(item: Mapping[str, Any]) -> bool:
        found = _get(item, field)
        if isinstance(found, bool):
            return value.lower() == str(found).lower()
        return found is not _MISSING and str(found) == value

    return test


def _contains(field: tuple[str, ...], value: str) -> Test:
    def test(item: Mapping[str, Any]) -> bool:
        found = _get(item, field)
        if found is _MISSING or found is None:
            return False
        if not isinstance(found, str | list | Mapping):
            raise FilterError(f"{'.'.join(field)} is no list, map or text")
        return value in found

    return test


def _matches(field: tuple[str, ...], value: str) -> Test:
    cost = 2 * len(_REPETITION.findall(value)) + value.count("|")
    if cost > _COSTLIEST or _NOT_OFFERED.search(value):
        raise FilterError(f"the regular expression {value!r} may take too long: make it simpler")
    try:
        pattern = re.compile(value)
    except re.error as fault:
        raise FilterError(f"{value!r} is no regular expression: {fault}") from fault

    def test(item: Mapping[str, Any]) -> bool:
        found = _get(item, field)
        if isinstance(found, str) and len(found) > _LONGEST_MATCHED:
            raise FilterError(f"{'.'.join(field)} is longer than {_LONGEST_MATCHED} characters")
        return isinstance(found, str) and pattern.search(found) is not None

    return test


_COMPARISONS = {"==": _equals, "!=": _equals, "contains": _contains, "matches": _matches}


def _is_empty(field: tuple[str, ...]) -> Test:
    def test(item: Mapping[str, Any]) -> bool:
        found = _get(item, field)
        return found is _MISSING or not found

    return test
