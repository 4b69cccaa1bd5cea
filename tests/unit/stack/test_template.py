"""A template that does too much is ended, and what it writes is whole."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.stack.render import output, template
from swarmctl.stack.render.template_faults import explained

HEAD = "services:\n  a: {image: x:1}\n"


def stack(folder: Path, text: str) -> Path:
    (folder / template.TEMPLATE).write_text(HEAD + text)
    return folder


def fault(folder: Path, text: str, time_limit: float = 5) -> UsageError:
    with pytest.raises(template.FAULTS) as caught:
        template.fill_in(stack(folder, text), {}, time_limit)
    return explained(caught.value, folder, {})


def test_an_endless_loop_is_stopped(tmp_path: Path) -> None:
    loops = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    said = fault(tmp_path, loops, time_limit=0.05)
    assert said.message.startswith(
        f"{tmp_path / template.TEMPLATE}:3: the template was still running"
    )


def test_rendering_leaves_no_alarm_behind(tmp_path: Path) -> None:
    template.fill_in(stack(tmp_path, ""), {})
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_too_much_output_is_refused(tmp_path: Path) -> None:
    said = fault(tmp_path, f"# {{{{ 'x' * {template.SIZE_LIMIT} }}}}\n")
    assert "more than" in said.message


def test_a_template_that_needs_too_much_memory_is_an_error(tmp_path: Path) -> None:
    said = explained(MemoryError(), tmp_path, {})
    assert "too much memory" in said.message


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
