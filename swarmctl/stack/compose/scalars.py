"""What a YAML scalar means to ``docker stack``, and how Go writes it out again.

The docker CLI reads YAML with gopkg.in/yaml.v3, which is neither YAML 1.1 nor 1.2: ``yes`` and
``22:22`` are strings there, ``0755`` is octal, ``08`` is a float and ``2001-01-01`` is a time.
Modelled on its resolve.go and checked against ``docker stack config`` 28.2.2.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from datetime import UTC, datetime
from typing import Any, TypeAlias

# None, bool, int, float, str, or lists and string-keyed maps of these.
Value: TypeAlias = Any

_WORDS: dict[str, bool | float | None] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z", re.ASCII)
_INT = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)"
    r"|0[oO]?(?P<oct>[0-7]+)|(?P<dec>0|[1-9][0-9]*))\Z",
    re.ASCII,
)
_TIME = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:([Tt ])(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d+))?(Z|[-+]\d{2}:\d{2})?)?\Z",
    re.ASCII,
)
_BASES = {"hex": 16, "bin": 2, "oct": 8, "dec": 10}
_INT_MIN, _UINT_MAX = -(2**63), 2**64 - 1
_KNOWN_TAGS = ("!!str", "!!bool", "!!int", "!!float", "!!timestamp", "!!null", "!!binary")


class Timestamp(str):
    """A scalar that yaml.v3 turns into a ``time.Time``: JSON calls it a string, Go does not."""

    __slots__ = ()


class ScalarError(ValueError):
    """A scalar that does not fit the tag it carries."""


def resolve(raw: str, plain: bool, tag: str = "") -> Value:
    """The value of a scalar.

    Args:
        raw: its text, escapes and folding undone.
        plain: whether it was written without quotes and not as a block.
        tag: an explicit tag in short form (``!!int``), or ``""``.

    Raises:
        ScalarError: text and tag do not fit.
    """
    if tag in ("", "!"):
        return _plain(raw) if plain and tag == "" else raw
    if tag == "!!binary":
        return _binary(raw)
    if tag == "!!str" or tag not in _KNOWN_TAGS:
        return raw
    value = _plain(raw)
    if tag == "!!float" and kind(value) == "!!int":
        assert isinstance(value, int)
        return float(value)
    if kind(value) != tag:
        raise ScalarError(f"cannot decode {kind(value)} `{raw}` as a {tag}")
    return value


def kind(value: Value) -> str:
    """The short tag of a value."""
    if value is None:
        return "!!null"
    if isinstance(value, Timestamp):
        return "!!timestamp"
    names = {bool: "!!bool", int: "!!int", float: "!!float", str: "!!str", list: "!!seq"}
    return names.get(type(value), "!!map")


def _plain(raw: str) -> Value:
    if raw in _WORDS:
        return _WORDS[raw]
    if raw[0] not in "+-.0123456789":
        return raw
    if raw[0] != ".":
        moment = _timestamp(raw)
        if moment is not None:
            return moment
    return _number(raw.replace("_", "") if raw[0] != "." else raw, raw)


def _number(text: str, raw: str) -> Value:
    found = _INT.match(text)
    if found:
        base = next(name for name in _BASES if found[name] is not None)
        value = int(found["sign"] + found[base], _BASES[base])
        if _INT_MIN <= value <= _UINT_MAX and not (found["sign"] == "+" and value >= 2**63):
            return value
    if _FLOAT.match(text):
        value_f = float(text)
        return value_f if not math.isinf(value_f) else raw
    return raw


def _timestamp(raw: str) -> Timestamp | None:
    found = _TIME.match(raw)
    if not found or (found[9] and found[4] == " ") or (found[4] in ("T", "t") and not found[9]):
        return None
    year, month, day, hour, minute, second = (int(found[i] or 0) for i in (1, 2, 3, 5, 6, 7))
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return Timestamp(moment.strftime("%Y-%m-%d %H:%M:%S +0000 UTC"))


def _binary(raw: str) -> str:
    try:
        data = base64.b64decode("".join(raw.split("\n")), validate=True)
    except (binascii.Error, ValueError) as fault:
        raise ScalarError("!!binary value contains invalid base64 data") from fault
    return data.decode("utf-8", "replace")


def spelled(value: Value) -> str:
    """A scalar as Go's ``fmt.Sprint`` writes it: what ends up in an environment or a label."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return _spelled_float(value)
    return str(value)


def _spelled_float(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    digits, _, exponent = _shortest(value).partition("e")
    if -4 <= int(exponent) < 6:
        return repr(value).removesuffix(".0")
    return f"{digits}e{int(exponent):+03d}"


def _shortest(value: float) -> str:
    """The shortest digits that read back as the value, with an exponent."""
    for precision in range(17):
        text = f"{value:.{precision}e}"
        if float(text) == value:
            return text
    return f"{value:.17e}"
