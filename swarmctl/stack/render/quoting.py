"""Quote strings that YAML readers would read as another type.

YAML 1.1 (Ansible, PyYAML, older docker CLIs) reads ``on`` as true and ``8:22`` as 502; the docker
CLI reads ``0755`` as 493 and ``1e3`` as 1000. So a rendered compose file quotes:

- plain text that the docker CLI reads as a string, but YAML 1.1 as another type;
- a string that is the whole value of a template expression, if either reader would read it as
  another type. ``{{ mode }}`` becomes ``'0755'`` if ``mode`` is a string, 493 if it is a number.

``true``, ``false``, ``null``, ``80`` and ``1.5`` stay plain: all readers agree on them, and
templates write them as text: ``{{ 'true' if tls else 'false' }}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml
from yaml.resolver import Resolver

from swarmctl.stack.compose.scalars import resolve

_STRING = "tag:yaml.org,2002:str"
_ALIKE = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{0,6}[1-9])?|true|false|null|", re.IGNORECASE)
_LETTERS = ("y", "Y", "n", "N")  # booleans in the YAML 1.1 specification, strings in PyYAML
# Put around a string that a template inserts: private characters that are valid in YAML.
_OPEN, _CLOSE = "\uf5d0", "\uf5d1"
_MARK = re.compile(f"[{_OPEN}{_CLOSE}]")

_resolver = Resolver()


def is_misread(text: str) -> bool:
    """Whether a string without quotes would be read as another type."""
    if _ALIKE.fullmatch(text):
        return False
    return _yaml_1_1_misreads(text) or not _docker_reads_string(text)


def mark(value: object) -> object:
    """A template value, marked for :func:`quote` if it may need quotes."""
    # Not a subclass of str: the results of to_yaml and tojson are YAML already.
    if type(value) is str and is_misread(value):
        return f"{_OPEN}{value}{_CLOSE}"
    return value


def quote(text: str) -> str:
    """Add the quotes a rendered YAML text needs, and remove the marks."""
    result, end = [], 0
    for token in _plain_scalars(text):
        start, stop = token.start_mark.index, token.end_mark.index
        result += [text[end:start], _quoted(text[start:stop])]
        end = stop
    return unmark("".join([*result, text[end:]]))


def unmark(text: str) -> str:
    """Remove the marks from a text that is not YAML."""
    return _MARK.sub("", text)


def _plain_scalars(text: str) -> Iterator[yaml.ScalarToken]:
    try:
        yield from (
            token
            for token in yaml.scan(text, Loader=yaml.SafeLoader)
            if isinstance(token, yaml.ScalarToken) and token.plain
        )
    except yaml.YAMLError:
        return  # not YAML; parsing it later gives the error


def _quoted(written: str) -> str:
    text = unmark(written)
    is_string = written == f"{_OPEN}{text}{_CLOSE}" or _docker_reads_string(text)
    if text != "<<" and is_string and is_misread(text):
        return f"'{text}'"
    return written


def _yaml_1_1_misreads(text: str) -> bool:
    tag: str = _resolver.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]  # PyYAML is
    return tag != _STRING or text in _LETTERS


def _docker_reads_string(text: str) -> bool:
    return type(resolve(text, plain=True)) is str  # not its subclass: Timestamp
