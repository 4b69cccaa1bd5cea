"""Rendering: the same bytes for the same input, and errors that say where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from swarmctl.errors import UsageError
from swarmctl.stack.render import filters, hashing, output, source
from swarmctl.stack.render.compose_files import load_compose_files
from swarmctl.stack.render.values import parse_set, unknown_overrides

COMPOSE = """\
# the entry
services:
  web:
    image: {{ web.image }}
    deploy:
      replicas: {{ web.replicas }}
{% if publish == 'host' %}
      endpoint_mode: dnsrr
{% endif %}
"""
VALUES = "publish: mesh\nweb:\n  image: httpd:2.4\n  replicas: 10\n"


def make(folder: Path, compose: str = COMPOSE, values: str = VALUES, **files: str) -> Path:
    stack = folder / "shop"
    stack.mkdir()
    (stack / "docker-compose.yml.j2").write_text(compose)
    (stack / "values.yml").write_text(values)
    for name, text in files.items():
        (stack / name.replace("__", ".")).write_text(text)
    return stack


def services(line: str) -> str:
    return f"services:\n  web:\n    image: {line}\n"


def test_the_output_keeps_the_templates_text_and_order(tmp_path: Path) -> None:
    text = source.render_stack(make(tmp_path)).compose
    assert text == (
        "# the entry\nservices:\n  web:\n    image: httpd:2.4\n    deploy:\n      replicas: 10\n"
    )


def test_set_wins_over_files_and_files_over_values_yml(tmp_path: Path) -> None:
    stack = make(tmp_path)
    more = tmp_path / "more.yml"
    more.write_text("web: {replicas: 4, image: other}\n")
    document = yaml.safe_load(
        source.render_stack(stack, [more], parse_set(["web.replicas=2", "publish=host"])).compose
    )
    deploy = document["services"]["web"]["deploy"]
    assert deploy == {"replicas": 2, "endpoint_mode": "dnsrr"}
    assert document["services"]["web"]["image"] == "other"


def test_undefined_variable_names_file_line_variable_and_the_nearest(tmp_path: Path) -> None:
    stack = make(tmp_path, COMPOSE.replace("web.replicas", "web.replcas"))
    with pytest.raises(UsageError) as caught:
        source.render_stack(stack)
    assert f"{stack}/docker-compose.yml.j2:6: the variable 'web.replcas'" in caught.value.message
    assert "'web.replicas'" in caught.value.hint


def test_an_undefined_variable_in_an_included_file_is_located_there(tmp_path: Path) -> None:
    stack = make(
        tmp_path, services("{{ file('a.conf.j2') | hashed('a') }}"), a__conf__j2="\n{{ pblish }}"
    )
    with pytest.raises(UsageError, match=r"a\.conf\.j2:2: the variable 'pblish'") as caught:
        source.render_stack(stack)
    assert "'publish'" in caught.value.hint


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{{ 1 + 'a' }}", r"yml\.j2:3: TypeError"),
        ("{{ 1 / 0 }}", r"yml\.j2:3: ZeroDivisionError"),
        ("{{ publish | nosuch }}", r"yml\.j2:3: No filter named 'nosuch'"),
        ("{% if %}", r"yml\.j2:3: Expected an expression"),
        ("{% include 'values.yaml' %}", r"yml\.j2:3: there is no file 'values.yaml'"),
        ("{{ file('../secret') }}", r"yml\.j2:3: '\.\./secret' leads out of"),
        ("{{ file('/etc/passwd') }}", r"'/etc/passwd' leads out of"),
        ("{{ file('link') }}", r"'link' is a link out of"),
        ("{{ ''.__class__.__mro__ }}", r"yml\.j2:3: access to attribute '__class__'"),
        ("{{ web.clear() }}", r"yml\.j2:3: "),
        ("{{ file('docker-compose.yml.j2') }}", r"include each other"),
        ("'{{ 'x' * 3 }}", r"is not YAML"),
        ("{{ ('n' * 60) | hashed('n' * 60) }}", r"longer than the 64 characters"),
        ("{{ web.nothing | to_yaml }}", r"yml\.j2:3: the variable 'web.nothing'"),
        ("{{ [] | random }}", r"No filter named 'random'"),
    ],
)
def test_the_error_of_a_template_has_place_and_reason(tmp_path: Path, line: str, said: str) -> None:
    stack = make(tmp_path, services(line))
    (tmp_path / "secret").write_text("x")
    (stack / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(UsageError, match=said):
        source.render_stack(stack)


def test_a_key_that_is_also_a_method_of_maps_is_the_key(tmp_path: Path) -> None:
    stack = make(tmp_path, services("{{ a.update.order }}"), "a: {update: {order: start-first}}\n")
    assert "image: start-first" in source.render_stack(stack).compose


def test_config_named_by_content_is_written_beside_the_compose_file(tmp_path: Path) -> None:
    compose = services("x") + (
        "configs:\n  conf:\n"
        "    name: {{ file('a.conf.j2') | hashed(stack_name ~ '_conf') }}\n"
        "    file: {{ attach('a.conf.j2') }}\n"
        "  plain:\n    file: ./plain.txt\n"
    )
    stack = make(tmp_path, compose, a__conf__j2="on {{ publish }} {{ true }}\n", plain__txt="p")
    rendered = source.render_stack(stack)
    assert rendered.files == {"a.conf": b"on mesh true\n", "plain.txt": b"p"}
    name = yaml.safe_load(rendered.compose)["configs"]["conf"]["name"]
    assert name == hashing.hashed("on mesh true\n", "shop_conf")
    target = tmp_path / "out"
    assert len(output.write(rendered, target)) == 3
    assert (target / "a.conf").read_text() == "on mesh true\n"
    assert (target / "docker-compose.yml").read_text() == rendered.compose
    assert output.write(rendered, target) == []
    (target / "plain.txt").write_text("changed by hand")
    assert output.outdated(rendered, target) == [target / "plain.txt"]


def test_new_content_gives_a_new_config_name() -> None:
    assert hashing.hashed("a", "nginx_conf") == "nginx_conf-ca978112ca1b"
    assert hashing.hashed("b", "nginx_conf") != hashing.hashed("a", "nginx_conf")


def test_the_error_for_a_template_named_as_a_file_shows_how_to_attach_it(tmp_path: Path) -> None:
    stack = make(tmp_path, services("x") + "configs: {c: {file: a.conf}}\n", a__conf__j2="x")
    with pytest.raises(UsageError) as caught:
        source.render_stack(stack)
    assert "attach('a.conf.j2')" in caught.value.hint


@pytest.mark.parametrize(
    "value",
    ["0755", "on", "8:22", "y", "null", "1.0", "a: b", "# no", "", 3, True, None, [1, "no"]],
)
def test_to_yaml_reads_back_the_same_even_in_yaml_1_1(value: Any) -> None:
    assert yaml.safe_load(filters.to_yaml(value)) == value


def test_to_yaml_writes_a_map_as_a_block_in_its_own_order() -> None:
    assert filters.to_yaml({"b": "1", "a": [2]}) == "b: '1'\na:\n- 2"


@pytest.mark.parametrize("option", ["web", "=3", "web..x=1", "a b=1", "x=[1", "x=a: b: c"])
def test_a_bad_set_is_refused_by_name(option: str) -> None:
    with pytest.raises(UsageError, match="cannot read --set"):
        parse_set([option])


def test_set_values_are_read_as_yaml() -> None:
    assert parse_set(["a.b=3", "c=x=y", "d=[1, 2]", "e="]) == {
        "a.b": 3,
        "c": "x=y",
        "d": [1, 2],
        "e": None,
    }


def test_set_below_a_scalar_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="publish is 'mesh', not a map"):
        source.render_stack(make(tmp_path), (), {"publish.x": 1})


def test_a_misspelt_set_gives_a_note(tmp_path: Path) -> None:
    assert unknown_overrides(make(tmp_path), (), {"web.replica": 1, "publish": "host"}) == [
        "--set web.replica: values.yml has no such value; did you mean web.replicas?"
    ]
    assert unknown_overrides(tmp_path / "shop", (), {"images.web.tag": "3f9c"}) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: [\n", r"values\.yml:3:1: not valid YAML"),
        ("a: 1\na: 2\n", r"values\.yml:2:1: .*'a' appears twice"),
        ("- 1\n", r"values\.yml: values must be a map"),
        ("a: \x00\n", r"values\.yml:1:1: not valid YAML"),
    ],
)
def test_the_error_of_bad_values_has_file_and_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        source.render_stack(make(tmp_path, values=text))


def test_output_that_is_not_a_compose_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a compose file"):
        source.render_stack(make(tmp_path, "a: 1\n"))


def test_a_stack_is_found_by_name_folder_or_template(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = make(tmp_path)
    monkeypatch.setenv("SWARMCTL_STACKS", str(tmp_path))
    assert source.find_stack("shop") == stack
    assert source.find_stack(str(stack)) == stack
    assert source.find_stack(f"{stack}/docker-compose.yml.j2") == stack
    with pytest.raises(UsageError) as caught:
        source.find_stack("shpo")
    assert caught.value.message == "unknown stack 'shpo'"
    assert "did you mean 'shop'" in caught.value.hint
    with pytest.raises(UsageError, match="no stack in nowhere/x"):
        source.find_stack("nowhere/x")


def test_env_file_is_read_back_by_the_docker_cli(tmp_path: Path) -> None:
    compose = services("x") + "    env_file: [{{ attach('app.env.j2') }}]\n"
    values = "env: {PORT: 80, DEBUG: true, GREETING: 'a b = c', EMPTY: null}\n"
    stack = make(tmp_path, compose, values)
    (stack / "app.env.j2").write_text("{{ env | env_file }}")
    rendered = source.render_stack(stack)
    assert rendered.files["app.env"] == b"PORT=80\nDEBUG=true\nGREETING=a b = c\nEMPTY=\n"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"A B": 1}, "'A B' cannot be the name"),
        ({"A": "1\n2"}, "A has several lines"),
        ({"A": [1]}, "A is not a scalar"),
        ("text", "needs a map"),
    ],
)
def test_env_file_refuses_names_and_values_it_cannot_hold(variables: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        filters.env_file(variables)


def test_a_compose_file_that_is_not_a_template_is_not_changed(tmp_path: Path) -> None:
    compose = tmp_path / "docker-compose.yml"
    compose.write_text(services("'{{ x }}'") + "configs: {c: {file: ./a.conf}}\n")
    with pytest.raises(UsageError, match=r"docker-compose\.yml: there is no file|names 'a\.conf'"):
        load_compose_files([compose])
    (tmp_path / "a.conf").write_text("x")
    loaded = load_compose_files([compose])
    assert loaded.compose == compose.read_text()
    assert loaded.files == {"a.conf": b"x"}
