"""Compose files made at random: those of the corpus with mistakes, and new ones from the table."""

from __future__ import annotations

import json
import random
from typing import Any

from swarmctl.stack.compose.language import FILE, NEWEST
from swarmctl.stack.compose.rules import Rule, Type
from tests.unit.stack_lint.lint_corpus import CORPUS

SEEDS = [path.read_bytes() for path in sorted(CORPUS.glob("*.yml"))]
# What tends to break readers of YAML, put where a value, a key or anything may stand.
ODD = [
    b"null", b"~", b"''", b"-1", b"2.5", b".inf", b"true", b"[]", b"{}", b"[[]]", b"{a: {b: c}}",
    b"2001-01-01", b"0755", b"*a", b"&a b", b"!x y", b"!!binary AA==", b"<<: *a", b"${", b"$$",
    b"${A:?}", b"${A:-", b"\t", b"\x00", b"\xff", b"\xe2\x82", b"\xef\xbb\xbf", b"---", b"...",
    b"99999999999999999999999", b"1e999", b"- - - x", b"? [a]", b"{{.Node.ID}}", b"%", b"`", b"@",
    b"a" * 300, b"::", b"80-90:1-2", b"[1, 1.0, '1']", b"{1: 2}", b"|\n x", b"'", b'"', b"\\",
]  # fmt: skip


def mutated(data: bytes, dice: random.Random) -> bytes:
    """The text with one to four things done to it."""
    for _ in range(dice.randint(1, 4)):
        lines = data.split(b"\n")
        at = dice.randrange(len(lines))
        line = lines[at]
        match dice.randrange(7):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, lines[dice.randrange(len(lines))])
            case 2:
                lines[at] = line.partition(b":")[0] + b": " + dice.choice(ODD)
            case 3:
                lines[at] = b" " * dice.randrange(8) + line.lstrip()
            case 4:
                cut = dice.randrange(len(line) + 1)
                lines[at] = line[:cut] + dice.choice(ODD) + line[cut:]
            case 5:
                lines[at] = line[: dice.randrange(len(line) + 1)]
            case _:
                indent = line[: len(line) - len(line.lstrip())]
                lines[at] = indent + b"- " + dice.choice(ODD)
        data = b"\n".join(lines)
    return data


def generated(dice: random.Random) -> bytes:
    """A file with keys of the language and values that mostly fit."""
    content = {key: _value(rule, dice, 0) for key, rule in _some(FILE.forms[0].keys, dice, 3)}
    content.pop("version", None)
    if dice.random() < 0.5:
        content["version"] = f"3.{dice.randint(0, NEWEST)}"
    return json.dumps(content, indent=1).encode()


_TEXTS = ("a", "b", "/a:/b", "80:80", "8080-8081:80-81/udp", "10s", "64M", "start-first", "", "$$x")
_SINGLE: dict[Type, tuple[Any, ...]] = {
    Type.TEXT: _TEXTS,
    Type.NUMBER: (0, 1, 80, 2.0, 0.5, -1),
    Type.WHOLE: (0, 1, 80, 2.0, -1),
    Type.FLAG: (True, False),
    Type.EMPTY: (None,),
}


def _value(rule: Rule, dice: random.Random, depth: int) -> Any:
    if not rule.forms or dice.random() < 0.03:
        return dice.choice((None, True, 1, 1.5, "a", [], ["a", "a"], {}, {"a": "b"}, [{}]))
    form = dice.choice(rule.forms)
    if form.item is not None:
        return [_value(form.item, dice, depth + 1) for _ in range(dice.randint(0, 2))]
    if form.type is not Type.MAP:
        return dice.choice(form.choices or _SINGLE[form.type])
    found: dict[str, Any] = {key: _value(form.keys[key], dice, depth) for key in form.required}
    if form.names is not None:
        names = dice.sample(("a", "b", "web", "A.b", "c_1"), dice.randint(0, 2))
        return {name: _value(form.names.holds, dice, depth + 1) for name in names}
    found |= {key: _value(rule, dice, depth + 1) for key, rule in _some(form.keys, dice, 4)}
    if dice.random() < 0.03:
        found[dice.choice(("x-a", "unknown", "name", "extends"))] = 1
    return found


def _some(keys: Any, dice: random.Random, most: int) -> list[tuple[str, Rule]]:
    return dice.sample(list(keys.items()), min(len(keys), dice.randint(0, most)))
