"""The doctor says what is wrong in one line, with the command that repairs it."""

import pytest

from swarmctl.errors import SwarmctlError
from swarmctl.lab import doctor


def test_enough_memory_passes_and_too_little_says_how_much_is_needed() -> None:
    assert doctor._memory("MemTotal: 9 kB\nMemAvailable: 8000000 kB").ok
    check = doctor._memory("MemTotal: 9 kB\nMemAvailable: 1000000 kB")
    assert check.failed
    assert check.line() == "✗ memory: 1.0 GiB available — free memory: 2 GiB are needed"


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
