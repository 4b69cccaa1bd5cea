"""The doctor says what is wrong in one line, with the command that repairs it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from swarmctl.errors import SwarmctlError
from swarmctl.lab import doctor


def test_enough_memory_passes_and_too_little_says_how_much_is_needed() -> None:
    assert doctor._memory("MemTotal: 9 kB\nMemAvailable: 8000000 kB", 50).ok
    check = doctor._memory("MemTotal: 9 kB\nMemAvailable: 1000000 kB", 10)
    assert check.failed
    assert check.line() == (
        "✗ memory: 1.0 GiB available, for 1 more machines — free memory: 2.0 GiB are needed for 10"
    )


def test_limits_that_are_too_low_are_named_with_what_raises_them() -> None:
    values = {"fs.inotify.max_user_instances": 128}
    assert doctor._limits(values, doctor.MACHINES).ok
    assert doctor._limits(values, 50).line() == (
        "✗ kernel limits: fs.inotify.max_user_instances is 128, 282 needed — "
        "sudo swarmctl lab doctor --fix --machines 50"
    )


def test_fixing_raises_the_limits_for_the_machines_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key, steps, raised = "fs.inotify.max_user_instances", list[str](), dict[str, int]()

    @contextmanager
    def step(title: str) -> Iterator[None]:
        steps.append(title)
        yield

    monkeypatch.setattr(doctor, "_engine_info", lambda: ({"ServerVersion": "1"}, ""))
    monkeypatch.setattr(doctor, "_builder", lambda: doctor.Check("builder", True, ""))
    monkeypatch.setattr("swarmctl.lab.host.limits.read", lambda: {key: 128})
    monkeypatch.setattr("swarmctl.lab.host.limits.raise_to", raised.update)
    doctor.fix(step)
    assert raised == {}
    doctor.fix(step, machines=50)
    assert raised == {key: 282}
    assert steps == ["raising the kernel's limits"]


def test_a_missing_capability_is_named() -> None:
    full = (1 << 41) - 1
    assert doctor._capabilities(f"CapBnd:\t{full:x}").ok
    check = doctor._capabilities(f"CapBnd:\t{full & ~(1 << 21):x}")
    assert check.failed
    assert "SYS_ADMIN" in check.seen


def test_an_unreachable_engine_and_a_forbidden_one_have_different_hints() -> None:
    assert doctor._engine({}, "Connection refused").remedy == doctor.FIX
    assert "usermod" in doctor._engine({}, "Permission denied").remedy


def test_a_kernel_without_ip_vs_is_not_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    check = doctor.Check("ip_vs", False, "not in this kernel", required=False)
    assert not check.failed
    assert check.line().startswith("! ")


def test_fixing_without_root_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_engine_info", lambda: ({}, "Connection refused"))
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(SwarmctlError, match="needs root"):
        doctor.fix(lambda _title: pytest.fail("nothing may be tried"))
