"""What YAML 1.1 or the docker CLI would misread is quoted; all else is left as it is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from swarmctl.reading.document import load
from swarmctl.stack.compose.scalars import resolve
from swarmctl.stack.render import filters, hashing, quoting, source
from swarmctl.stack.render.stack_files import TEMPLATE
from swarmctl.stack.render.values import parse_set

MISREAD = [
    "on", "off", "Yes", "NO", "y", "N", "8:22", "1:2:3", "0755", "0o17", "0x1f", "1_000", "1e3",
    "09", ".5", "+3", "1.10", "~", "=", "2026-01-31", ".inf", "131489152850082175195580",
]  # fmt: skip


def rendered(folder: Path, template: str, values: str = "{}") -> str:
    (folder / "values.yml").write_text(values)
    (folder / TEMPLATE).write_text(f"services:\n  a:\n    image: x:1\n{template}")
    return source.render_stack(folder).compose.partition("image: x:1\n")[2]


@pytest.mark.parametrize("text", MISREAD)
def test_a_string_that_is_the_whole_value_stays_that_string(tmp_path: Path, text: str) -> None:
    line = rendered(tmp_path, "    labels: {a: {{ x }}}\n", f"x: '{text}'\n")
    assert line == f"    labels: {{a: '{text}'}}\n"
    assert yaml.safe_load(line)["labels"]["a"] == text


@pytest.mark.parametrize("text", MISREAD)
def test_to_yaml_quotes_for_docker_as_well(text: str) -> None:
    assert filters.to_yaml({text: [text]}) == f"'{text}':\n- '{text}'"


@pytest.mark.parametrize(
    "text", ["true", "false", "null", "80", "-3", "1.5", "a", "80:80", "1.2.3"]
)
def test_values_that_all_readers_agree_on_stay_plain(tmp_path: Path, text: str) -> None:
    line = rendered(tmp_path, "    a: {{ x }}\n", f"x: '{text}'\n")
    assert line == f"    a: {text}\n"


@pytest.mark.parametrize("value", [0o755, 80, 1.5, True, None])
def test_numbers_and_booleans_do_not_become_strings(tmp_path: Path, value: Any) -> None:
    line = rendered(tmp_path, "    a: {{ x }}\n", yaml.safe_dump({"x": value}))
    assert yaml.safe_load(line)["a"] == value
    assert "'" not in line


@pytest.mark.parametrize(
    "text",
    [
        "    mode: 0755\n",
        "    a: |\n      on\n      b: 0755\n",
        '    a: "on"\n',
        "    a: x on y\n",
        "    <<: {a: b}\n",
        "    # on: 8:22\n",
    ],
)
def test_the_templates_own_text_keeps_the_type_that_docker_reads(tmp_path: Path, text: str) -> None:
    assert rendered(tmp_path, text) == text


def test_strings_that_yaml_1_1_misreads_are_quoted(tmp_path: Path) -> None:
    text = "    a: [8:22, on]\n    no: off # why\n"
    assert rendered(tmp_path, text) == "    a: ['8:22', 'on']\n    'no': 'off' # why\n"


def test_two_values_that_are_misread_together_are_quoted(tmp_path: Path) -> None:
    assert rendered(tmp_path, "    a: {{ 8 }}:{{ 22 }}\n") == "    a: '8:22'\n"


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("    a: |\n      {{ x }}\n", "    a: |\n      on\n"),
        ('    a: "{{ x }}"\n', '    a: "on"\n'),
        ("    a: {{ x }}e\n", "    a: one\n"),
        ("{% set y %}{{ x }}{% endset %}    a: {{ y == 'on' }}\n", "    a: true\n"),
        (
            "{% set y | replace(old='e', new='') %}{{ x }}e{% endset %}    a: {{ y | length }}\n",
            "    a: 2\n",
        ),
        ("{% macro m() %}{{ x }}{% endmacro %}    a: {{ m() | length }}\n", "    a: 2\n"),
        ("{% set y = x %}    a: {{ y }}\n", "    a: 'on'\n"),
        ("    a: {{ 'on' if x == 'on' else 1 }}\n", "    a: 'on'\n"),
        ("    a: {{ 1, 2 }}\n", "    a: (1, 2)\n"),
    ],
)
def test_marks_are_always_removed(tmp_path: Path, template: str, result: str) -> None:
    assert rendered(tmp_path, template, "x: 'on'\n") == result


def test_a_rendered_attached_file_is_not_quoted(tmp_path: Path) -> None:
    (tmp_path / "a.conf.j2").write_text("mode {{ x }}")
    (tmp_path / "values.yml").write_text("x: 'on'\n")
    (tmp_path / TEMPLATE).write_text(
        "services: {a: {image: x:1}}\nconfigs:\n  {{ file('a.conf.j2') | hashed('c') }}:\n"
        "    file: {{ attach('a.conf.j2') }}\n"
    )
    result = source.render_stack(tmp_path)
    assert result.files == {"a.conf": b"mode on"}
    assert hashing.hashed("mode on", "c") in result.compose


def test_quoting_does_not_change_what_docker_reads() -> None:
    for text in (*MISREAD, "true", "80", "x", "<<"):
        quoted = quoting.quote(f"a: {text}\n").removeprefix("a: ").strip()
        was_quoted = quoted != text
        assert was_quoted == (type(resolve(text, plain=True)) is str and text not in ("x", "<<"))


@pytest.mark.parametrize(("text", "value"), [("8:22", "8:22"), ("1:30.5", "1:30.5"), ("=", "=")])
def test_values_are_not_read_as_base_60(text: str, value: Any) -> None:
    assert load(f"a: {text}").value == {"a": value}
    assert parse_set([f"a={text}"]) == {"a": value}
