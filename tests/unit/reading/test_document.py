"""One tree of nodes with positions, and the values that our own files have."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from swarmctl.errors import UsageError
from swarmctl.reading.document import BadFileError, load, parse, read
from swarmctl.reading.yaml_nodes import YamlError

TEXT = """\
base: &base
  image: app:1
  replicas: 2
web:
  <<: *base
  replicas: 3
list:
  - a
  - key: "yes"
"""


def value(text: str) -> Any:
    return load(f"x: {text}\n").value["x"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", 1), ("0x10", 16), ("1.5", 1.5), ("true", True), ("yes", True), ("~", None),
        ("", None), ("'1'", "1"), ("text", "text"), ("8:22", "8:22"), ("1:30.5", "1:30.5"),
        ("=", "="), ("2026-01-31", "2026-01-31"), (".inf", ".inf"), ("!!str 1", "1"),
        ("!!int '7'", 7), ("! 1", "1"), ("[1, a]", [1, "a"]), ('{"a": [null]}', {"a": [None]}),
    ],
)  # fmt: skip
def test_scalars_have_the_types_of_our_own_files(text: str, expected: Any) -> None:
    found = value(text)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: [\n", 3, "did not find"),
        ("a: 1\nb: !secret x\n", 2, "the tag !secret is not supported"),
        ("a: 1\nb: !!set {c}\n", 2, "the tag !!set is not supported"),
        ("a: !!int many\n", 1, "'many' is not of type int"),
        ("a: !!bool maybe\n", 1, "'maybe' is not of type bool"),
        ("? [a]\n: b\n", 1, "cannot be a key"),
        ("a: 1\nb: 2\na: 3\n", 3, "the key 'a' appears twice"),
        ("a: *none\n", 1, "unknown anchor 'none'"),
        ("a: &a\n  b: *a\n", 2, "contains itself"),
        ("a:\n  <<: 3\n", 2, "<< needs a map"),
        ("a:\n  <<: [3]\n", 2, "<< needs a map"),
        ("a: 1\n---\nb: 2\n", 2, "a second document"),
        ("a: \x00\n", 1, "control characters"),
        ("[" * 200 + "]" * 200, 1, "nested deeper than 150 levels"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(YamlError, match=words) as caught:
        load(text)
    assert caught.value.mark.line == line


def test_the_message_begins_with_file_line_and_column() -> None:
    with pytest.raises(BadFileError) as caught:
        parse("a:\n  b: !x 1\n", "f.yml")
    assert caught.value.message == "f.yml:2:6: not valid YAML: the tag !x is not supported"


def test_a_map_wins_over_what_it_merges_and_the_first_merged_wins() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {x: 2, z: 2}\nc:\n  z: 3\n  <<: [*a, *b]\n"
    assert load(text).value["c"] == {"x": 1, "y": 1, "z": 3}


def test_positions_lead_through_merges_and_lists() -> None:
    document = load(TEXT)
    assert document.value["web"] == {"image": "app:1", "replicas": 3}
    lines = {("web",): 4, ("web", "image"): 2, ("web", "replicas"): 6, ("list", 1, "key"): 9}
    assert {path: document.line(path) for path in lines} == lines
    assert document.raw(("list", 1, "key")) == "yes"
    assert document.raw(("list",)) == ""


def test_a_missing_key_is_reported_at_its_map() -> None:
    document = parse(TEXT, "f.yml")
    assert document.fault(("web", "nothing", 3), "is wrong") == (
        "f.yml:4: web.nothing[3]: is wrong"
    )
    assert document.node(("web", "nothing")) is None


def test_keys_as_text_are_kept_as_written_and_duplicates_are_listed() -> None:
    document = load("on: 1\n8080: 2\na: {b: 1, b: 2}\non: 3\n", text_keys=True)
    assert document.value == {"on": 3, "8080": 2, "a": {"b": 2}}
    assert sorted(document.duplicates()) == [(("a", "b"), 3), (("on",), 4)]


def test_keys_of_values_have_types() -> None:
    assert load("8080: web\n").value == {8080: "web"}


def test_an_empty_text_is_an_empty_document() -> None:
    document = load("# nothing\n")
    assert document.value is None
    assert document.line(("a",)) == 1


def test_aliases_of_aliases_end_quickly() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    began = time.monotonic()
    with pytest.raises(YamlError, match="more than 100000 values"):
        load("\n".join(lines))
    assert time.monotonic() - began < 10


def test_aliases_do_not_nest_deeper_than_the_limit() -> None:
    lines = ["a0: &a0 x"]
    lines += [f"a{n}: &a{n} {'[' * 50}*a{n - 1}{']' * 50}" for n in range(1, 30)]
    with pytest.raises(YamlError, match="nested deeper than 150 levels"):
        load("\n".join(lines))


def test_files_of_json_may_be_indented_by_tabs_and_begin_with_a_mark(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'\xef\xbb\xbf{\n\t"a": [1]\n}\n')
    assert read(path).value == {"a": [1]}


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*x\.yml: No such file") as caught:
        read(tmp_path / "x.yml", hint="make one")
    assert caught.value.hint == "make one"
    (tmp_path / "y.yml").write_bytes(b"\xff")
    with pytest.raises(BadFileError, match=r"y\.yml:1: not text in UTF-8"):
        read(tmp_path / "y.yml")
