"""Host keys are known from EC2's console output before anything connects to a machine."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest

import swarmctl.own_machines  # noqa: F401  it needs the real Cloud, which tests replace
from swarmctl import cluster
from swarmctl.cli import main as cli
from swarmctl.cloud import instances as cloud_instances
from swarmctl.cloud.host_keys import HostKey, host_key, host_keys
from swarmctl.cloud.instances import Cloud, Instance
from swarmctl.errors import DeadlineExceededError, SwarmctlError
from swarmctl.host_keys import record, record_from_consoles, without_record
from swarmctl.wait import Clock


def key(text: str, kind: str = "ssh-ed25519") -> str:
    """A public key as in ``ssh_host_*_key.pub``."""
    blob = len(kind).to_bytes(4, "big") + kind.encode() + text.encode()
    return f"{kind} {base64.b64encode(blob).decode()}"


def console(*lines: str) -> str:
    begin, end = (f"-----{word} SSH HOST KEY KEYS-----" for word in ("BEGIN", "END"))
    return "\r\n".join(["[  OK  ] Reached target", begin, *lines, end, "login:"])


ONE, OTHER = key("one"), key("other")
PARSED = cast(HostKey, host_key(ONE))


def test_the_keys_between_cloud_inits_marks_are_read() -> None:
    rsa = key("rsa", "ssh-rsa")
    found = host_keys(console(f"{ONE} root@ip-10-42-0-4", "[   12.3] a kernel's line", rsa))
    assert [f"{k.kind} {k.body}" for k in found] == [ONE, rsa]


def test_a_fingerprint_is_that_of_ssh_keygen() -> None:
    digest = hashlib.sha256(base64.b64decode(PARSED.body)).digest()
    assert PARSED.fingerprint == "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ONE,
        console(),
        console(ONE).partition("-----END")[0],
        console(f"ec2: {ONE}"),
        console("ssh-ed25519 AAAA"),
        console(ONE.replace("ssh-ed25519", "ssh-rsa")),
        console(ONE).replace("-----BEGIN", "[1.2] app[7]: -----BEGIN"),
    ],
)
def test_anything_but_a_complete_block_of_keys_is_no_key(text: str) -> None:
    assert host_keys(text) == ()


def test_a_block_that_a_program_prints_later_does_not_replace_the_first() -> None:
    assert host_keys(console(ONE) + "\n" + console(OTHER)) == (PARSED,)


def machine(name: str, state: str = "running") -> Instance:
    return Instance(f"i-{name}", f"c_{name}", "worker", state, "10.0.0.4", "", "a", "admin", "c")


class Consoles:
    """EC2 with these consoles, which may change each time they are read, and ended instances."""

    region = "eu-central-1"

    def __init__(self, ended: dict[str, str] | None = None, **outputs: list[str]) -> None:
        self.outputs = {f"i-{name}": texts for name, texts in outputs.items()}
        self.ended = ended or {}

    def console(self, instance_id: str) -> str:
        texts = self.outputs[instance_id]
        return texts.pop(0) if len(texts) > 1 else texts[0]

    def not_running(self, ids: Sequence[str]) -> dict[str, str]:
        return {i: why for i, why in self.ended.items() if i in ids}

    def instances(self, name: str) -> tuple[Instance, ...]:
        assert name == "c"
        return (machine("wkr1"), machine("wkr2"), machine("wkr3", "stopped"))


@pytest.fixture(autouse=True)
def known_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWARMCTL_STATE", str(tmp_path))
    return tmp_path / "clusters/c/known_hosts"


def wait(ec2: Consoles, *machines: Instance) -> list[str]:
    """The machines whose keys were recorded; time passes by itself."""
    seconds = iter(range(1000))
    said: list[str] = []
    clock = Clock(now=lambda: next(seconds) * 10.0, pause=lambda _: None)
    record_from_consoles(
        cast(Cloud, ec2), machines, 60, lambda instance, _: said.append(instance.name), clock
    )
    return said


def test_keys_are_waited_for_and_recorded_under_the_instances_id(known_hosts: Path) -> None:
    ec2 = Consoles(wkr1=["", "booting", console(ONE)], wkr2=[console(OTHER)])
    assert wait(ec2, machine("wkr1"), machine("wkr2")) == ["c_wkr2", "c_wkr1"]
    assert sorted(known_hosts.read_text().splitlines()) == [f"i-wkr1 {ONE}", f"i-wkr2 {OTHER}"]
    assert known_hosts.stat().st_mode & 0o777 == 0o600
    assert without_record([machine("wkr1"), machine("wkr3")]) == [machine("wkr3")]


def test_a_console_without_keys_ends_the_wait_with_what_a_person_can_do(known_hosts: Path) -> None:
    ec2 = Consoles(wkr1=["booting\nbooted"], wkr2=[console(OTHER)])
    with pytest.raises(
        DeadlineExceededError, match=r"c_wkr1 \(i-wkr1\) has printed 2 lines"
    ) as late:
        wait(ec2, machine("wkr1"), machine("wkr2"))
    assert "swarmctl node trust c_wkr1 --key" in late.value.hint
    assert known_hosts.read_text() == f"i-wkr2 {OTHER}\n"


def test_an_instance_that_ends_meanwhile_ends_the_wait_at_once_with_the_reason() -> None:
    ec2 = Consoles({"i-wkr1": "terminated: no such AMI"}, wkr1=[""])
    with pytest.raises(SwarmctlError, match=r"c_wkr1 \(i-wkr1\) is terminated: no such AMI"):
        wait(ec2, machine("wkr1"))


def test_a_new_record_replaces_that_instances_only(known_hosts: Path) -> None:
    for name in ("wkr1", "wkr10"):
        record(machine(name), [PARSED])
    record(machine("wkr1"), [cast(HostKey, host_key(OTHER))])
    assert sorted(known_hosts.read_text().splitlines()) == [f"i-wkr1 {OTHER}", f"i-wkr10 {ONE}"]


@pytest.fixture
def ec2(monkeypatch: pytest.MonkeyPatch) -> Consoles:
    ec2 = Consoles(wkr1=[console(ONE)], wkr2=[console(ONE)])
    monkeypatch.setattr(cloud_instances, "Cloud", lambda _region=None: ec2)
    monkeypatch.setattr(cluster, "find", lambda ec2, name: (name, ec2.instances(name)))
    return ec2


def trust(*words: str) -> int:
    return cli.main(["node", "trust", "--cluster", "c", *words])


def test_the_command_records_what_is_missing_of_running_nodes(
    ec2: Consoles, known_hosts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record(machine("wkr1"), [cast(HostKey, host_key(OTHER))])
    assert trust() == 0
    assert f"c_wkr2 (i-wkr2): ssh-ed25519 {PARSED.fingerprint} recorded" in capsys.readouterr().out
    assert known_hosts.read_text() == f"i-wkr1 {OTHER}\ni-wkr2 {ONE}\n"


def test_a_person_records_a_key_by_hand(ec2: Consoles, known_hosts: Path) -> None:
    assert trust("wkr2", "--key", f"{OTHER} root@host") == 0
    assert known_hosts.read_text() == f"i-wkr2 {OTHER}\n"


@pytest.mark.parametrize("words", [["--key", ONE], ["wkr2", "--key", "rubbish"], ["wkr9"]])
def test_a_wrong_node_or_key_records_nothing(
    ec2: Consoles, known_hosts: Path, words: list[str]
) -> None:
    assert trust(*words) == 2
    assert not known_hosts.exists()


def test_types_that_have_no_newest_output_give_what_was_kept(monkeypatch: Any) -> None:
    from botocore.stub import Stubber

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    real = Cloud("eu-central-1")
    with Stubber(real._ec2) as api:
        asked = {"InstanceId": "i-1", "Latest": True}
        api.add_client_error("get_console_output", "UnsupportedOperation", expected_params=asked)
        kept = {"Output": base64.b64encode(b"booted").decode()}
        api.add_response("get_console_output", kept, {"InstanceId": "i-1"})
        assert real.console("i-1") == "booted"
