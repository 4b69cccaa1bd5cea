"""Quotes what readers of YAML would not give back as it is written.

YAML 1.1 (Ansible, PyYAML, older docker CLIs) takes ``on`` for true and ``8:22`` for 502; the docker
CLI takes ``0755`` for 493 and ``1e3`` for 1000. So a rendered compose file quotes:

- plain text that the docker CLI reads as a string, and YAML 1.1 as something else;
- a string that a template puts alone where a value belongs, when either reader takes it for
  something else. A number stays one: ``{{ mode }}`` is ``0755`` quoted, or 493, as ``mode`` is.

``true``, ``false``, ``null``, ``80`` and ``1.5`` stay plain, because everybody reads them alike and
templates make them as text: ``{{ 'true' if tls else 'false' }}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml
from yaml.resolver import Resolver

from swarmctl.stack.compose.scalars import resolve

_STRING = "tag:yaml.org,2002:str"
_ALIKE = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{0,6}[1-9])?|true|false|null|", re.IGNORECASE)
_LETTERS = ("y", "Y", "n", "N")  # booleans in YAML 1.1 as it is written, strings in PyYAML
# Around a string that a template puts into its text; private characters that YAML lets pass.
_OPEN, _CLOSE = "\uf5d0", "\uf5d1"
_MARK = re.compile(f"[{_OPEN}{_CLOSE}]")

_resolver = Resolver()


def is_misread(text: str) -> bool:
    """Whether a string comes back as something else when it is written without quotes."""
    if _ALIKE.fullmatch(text):
        return False
    return _in_yaml_1_1(text) or not _is_string_to_docker(text)


def mark(value: object) -> object:
    """A value for a template's text; one that may need quotes is marked for :func:`quote`."""
    # Exactly a string: what to_yaml and tojson give is YAML already.
    if type(value) is str and is_misread(value):
        return f"{_OPEN}{value}{_CLOSE}"
    return value


def quote(text: str) -> str:
    """A rendered YAML text with quotes where they are needed, and without marks."""
    result, end = [], 0
    for token in _plain_scalars(text):
        start, stop = token.start_mark.index, token.end_mark.index
        result += [text[end:start], _quoted(text[start:stop])]
        end = stop
    return unmark("".join([*result, text[end:]]))


def unmark(text: str) -> str:
    """A text that is no YAML, or not meant for it, without marks."""
    return _MARK.sub("", text)


def _plain_scalars(text: str) -> Iterator[yaml.ScalarToken]:
    try:
        yield from (
            token
            for token in yaml.scan(text, Loader=yaml.SafeLoader)
            if isinstance(token, yaml.ScalarToken) and token.plain
        )
    except yaml.YAMLError:
        return  # not YAML; who parses the text will say so


def _quoted(written: str) -> str:
    text = unmark(written)
    is_string = written == f"{_OPEN}{text}{_CLOSE}" or _is_string_to_docker(text)
    if text != "<<" and is_string and is_misread(text):
        return f"'{text}'"
    return written


def _in_yaml_1_1(text: str) -> bool:
    tag: str = _resolver.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]  # PyYAML is
    return tag != _STRING or text in _LETTERS


def _is_string_to_docker(text: str) -> bool:
    return type(resolve(text, plain=True)) is str  # not its subclass: Timestamp
