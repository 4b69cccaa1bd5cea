"""The template filters ``hashed``, ``to_yaml`` and ``env_file``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import jinja2
import yaml

from swarmctl.stack.render import quoting
from swarmctl.stack.render.hashing import hashed


def yaml_spelling(value: Any) -> Any:
    """``true``, ``false`` and ``null`` for Python's constants; any other value unchanged."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else value


class _YamlText(str):
    """Text that is YAML already and must not be quoted."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Quotes strings that any reader would misread; refuses undefined values."""


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "'" if quoting.is_misread(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _undefined(dumper: yaml.SafeDumper, value: jinja2.Undefined) -> yaml.ScalarNode:
    return _string(dumper, str(value))  # raises, with the variable's name


_Dumper.add_representer(str, _string)
_Dumper.add_multi_representer(jinja2.Undefined, _undefined)


def to_yaml(value: Any) -> str:
    """The value as YAML that reads back as the same value, without a newline at the end."""
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
    """The text of an environment file. The docker CLI takes its values literally.

    Args:
        variables: name → value; booleans become ``true`` and ``false``, ``null`` becomes empty.

    Raises:
        ValueError: an environment file cannot hold a name or a value.
    """
    if isinstance(variables, jinja2.Undefined) or not isinstance(variables, Mapping):
        str(variables)  # raises when it is undefined
        raise ValueError("env_file needs a map of names to values")
    lines = []
    for name, value in variables.items():
        if isinstance(value, jinja2.Undefined | Mapping | list | tuple):
            raise ValueError(f"the value of {name} is not a scalar: {value!r}")
        text = "" if value is None else str(yaml_spelling(value))
        if not re.fullmatch(r"[^\s=#][^\s=]*", str(name)):
            raise ValueError(f"{name!r} cannot be the name of a variable")
        if "\n" in text or "\r" in text:
            raise ValueError(f"the value of {name} has several lines; make it a config or a secret")
        lines.append(f"{name}={text}\n")
    return "".join(lines)


FILTERS = {"to_yaml": to_yaml, "hashed": hashed, "env_file": env_file}
