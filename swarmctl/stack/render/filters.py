"""The filters a compose author wants: ``hashed``, ``to_yaml`` and ``env_file``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

import jinja2
import yaml

from swarmctl.stack.render import quoting


def as_yaml_spells_it(value: Any) -> Any:
    """``True``, ``False`` and ``None`` as YAML has them; all else as it is."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else value


def hashed(text: str | bytes, name: str) -> str:
    """Name a config or a secret by its content, e.g. ``nginx_conf-3f9a1c2b7d10``.

    Args:
        text: the content.
        name: the part before the hash; with it the whole may have 64 characters in Swarm.

    Raises:
        ValueError: the name would be too long.
    """
    content = text.encode() if isinstance(text, str) else text
    full = f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"
    if len(full) > 64:
        raise ValueError(f"{full!r} is longer than the 64 characters Swarm allows for a name")
    return full


class _YamlText(str):
    """Text that is YAML already: nothing is to be quoted in it."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Quotes for every reader, not for PyYAML alone; nothing undefined gets through."""


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "'" if quoting.is_misread(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _undefined(dumper: yaml.SafeDumper, value: jinja2.Undefined) -> yaml.ScalarNode:
    return _string(dumper, str(value))  # raises, with the variable's name


_Dumper.add_representer(str, _string)
_Dumper.add_multi_representer(jinja2.Undefined, _undefined)


def to_yaml(value: Any) -> str:
    """The value as YAML that reads back the same, without a newline at the end."""
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        default_flow_style=False,
        sort_keys=False,
        allow_unicode=True,
        width=10_000,
    )
    return _YamlText(text.removesuffix("...\n").rstrip("\n"))


def env_file(variables: Mapping[str, Any]) -> str:
    """The text of an environment file, as the docker CLI reads it: values are taken literally.

    Args:
        variables: name → value; ``true`` and ``false`` as YAML spells them, ``null`` is empty.

    Raises:
        ValueError: a name or a value that such a file cannot hold.
    """
    if isinstance(variables, jinja2.Undefined) or not isinstance(variables, Mapping):
        str(variables)  # raises when it is undefined
        raise ValueError("env_file takes a map of names to values")
    lines = []
    for name, value in variables.items():
        if isinstance(value, jinja2.Undefined | Mapping | list | tuple):
            raise ValueError(f"the value of {name} is no scalar: {value!r}")
        text = "" if value is None else str(as_yaml_spells_it(value))
        if not re.fullmatch(r"[^\s=#][^\s=]*", str(name)):
            raise ValueError(f"{name!r} cannot be the name of a variable")
        if "\n" in text or "\r" in text:
            raise ValueError(f"the value of {name} has several lines; make it a config or a secret")
        lines.append(f"{name}={text}\n")
    return "".join(lines)


FILTERS = {"to_yaml": to_yaml, "hashed": hashed, "env_file": env_file}
