"""A template that does too much is ended, and what it writes is whole."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.stack.render import output, template
from swarmctl.stack.render.run_template import LIMITS, Limits, run_template
from swarmctl.stack.render.source import render_stack
from swarmctl.stack.render.stack_files import TEMPLATE

HEAD = "services:\n  a: {image: x:1}\n"


def stack(folder: Path, text: str) -> Path:
    (folder / TEMPLATE).write_text(HEAD + text)
    return folder


def fault(folder: Path, text: str, limits: Limits = LIMITS) -> UsageError:
    with pytest.raises(UsageError) as caught:
        run_template(stack(folder, text), {}, limits=limits)
    return caught.value


def test_an_endless_loop_is_stopped_and_its_line_is_named(tmp_path: Path) -> None:
    loops = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    said = fault(tmp_path, loops, Limits(seconds=1))
    where = tmp_path / TEMPLATE
    assert said.message == f"{where}:3: the template was still running after 1 s"


def test_a_constant_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """Jinja computes constants while it compiles, and ignores errors there, the time-out's too."""
    said = fault(tmp_path, "# {{ 7**30000000 }}\n", Limits(seconds=1))
    assert said.message == f"{tmp_path / TEMPLATE}: the template was ended after 1 s of computing"
    assert "a very large number" in said.hint


def test_a_template_is_ended_by_the_clock_on_a_busy_machine_too(tmp_path: Path) -> None:
    said = fault(tmp_path, "# {{ 7**30000000 }}", Limits(wall_seconds=0.3))
    assert "ended after 0.3 s" in said.message


@pytest.mark.parametrize("huge", ["'x' * 10**10", "([0] * 10**9) | length"])
def test_memory_is_limited(tmp_path: Path, huge: str) -> None:
    said = fault(tmp_path, f"# {{{{ {huge} }}}}\n")
    assert said.message == f"{tmp_path / TEMPLATE}:3: the template needs too much memory"


@pytest.mark.parametrize("function", ["attach", "file"])
@pytest.mark.parametrize("kind", ["up", "absolute", "inside", "link"])
def test_no_file_outside_of_the_stack_is_read_or_written(
    tmp_path: Path, function: str, kind: str
) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (tmp_path / "x").write_text("theirs")
    (folder / "x").write_text("ours")
    (folder / "link").symlink_to(tmp_path / "x")
    name = {"up": "../x", "absolute": f"{folder}/x", "inside": "../shop/x", "link": "link"}[kind]
    said = fault(folder, f"# {{{{ {function}('{name}') }}}}\n")
    what = f"{name!r} is a link out of" if kind == "link" else f"{name!r} leads out of"
    assert said.message.startswith(f"{folder / TEMPLATE}:3: {what}")


def test_a_file_that_the_output_names_is_not_outside_of_the_stack_either(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "x").write_text("ours")
    stack(folder, "configs: {c: {file: ../shop/x}}\n")
    with pytest.raises(UsageError, match=r"'\.\./shop/x' leads out of the stack's folder"):
        render_stack(folder)


def test_a_template_can_be_rendered_in_any_thread(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        filled = pool.submit(run_template, stack(tmp_path, ""), {}).result()
    assert (filled.text, filled.files) == (HEAD, {})


def test_too_much_output_is_refused(tmp_path: Path) -> None:
    said = fault(tmp_path, f"# {{{{ 'x' * {template.SIZE_LIMIT} }}}}\n")
    assert "more than" in said.message


def test_undefined_inside_of_a_map_is_named(tmp_path: Path) -> None:
    said = fault(tmp_path, "x-a: {{ {'b': nope} | to_yaml }}\n")
    assert ":3: the variable 'nope' is not defined" in said.message


@pytest.mark.parametrize("name", ["docker-compose.yml", "a.conf"])
def test_two_attached_files_cannot_have_the_same_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("one")
    (tmp_path / f"{name}.j2").unlink(missing_ok=True)
    if name == "a.conf":
        (tmp_path / "a.conf.j2").write_text("two")
    both = f"# {{{{ attach('{name}') }}}}\n"
    both += "# {{ attach('a.conf.j2') }}\n" if name == "a.conf" else ""
    assert repr(name) in fault(tmp_path, both).message


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out" / "docker-compose.yml"
    output.write(output.Rendered("old\n"), target)

    def full(self: Path, other: Path) -> Path:
        raise OSError(28, "No space left on device", str(other))

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(SwarmctlError, match="No space left"):
        output.write(output.Rendered("new\n"), target)
    assert [path.name for path in target.parent.iterdir()] == ["docker-compose.yml"]
    assert target.read_text() == "old\n"


def test_a_rendered_stack_can_be_read_by_its_user_alone(tmp_path: Path) -> None:
    target = tmp_path / "docker-compose.yml"
    for old in (None, 0o644, 0o600):
        if old:
            target.chmod(old)
        output.write(output.Rendered(f"{old}\n", {"app.conf": f"{old}".encode()}), target)
        for path in (target, tmp_path / "app.conf"):
            assert path.stat().st_mode & 0o777 == 0o600
    target.chmod(0o400)
    output.write(output.Rendered("b\n"), target)
    assert target.stat().st_mode & 0o777 == 0o400


def test_the_name_of_an_image_is_text_whatever_a_value_is(tmp_path: Path) -> None:
    folder = stack(tmp_path, "# {{ image(5) }} {{ mirrored(2.4) }}\n")
    assert template.fill_in(folder, {}, {}).questions == {("image", "5"), ("mirrored", "2.4")}
