"""All managers are destroyed, and the Swarm comes back with everything that it had."""

from __future__ import annotations

import http.client
import json
import re
import time

import pytest

from swarmctl.backup.manifest import Object
from swarmctl.backup.objects import differences
from swarmctl.wait import wait_for
from tests.lab.helpers.agent import endpoints
from tests.lab.helpers.killed_run import killed, killed_at
from tests.lab.helpers.requests_a_second import requests_a_second
from tests.lab.support import BIN, CLUSTER, Lab, healthy
from tests.lab.test_6_backup.conftest import Backups

RATE = 20
AN_HOUR = 3600
MANAGERS = [f"{CLUSTER}_mgr{number}" for number in (1, 2, 3)]

pytestmark = [pytest.mark.long, pytest.mark.timeout(AN_HOUR)]


def listed(backups: Backups) -> list[dict[str, object]]:
    done = backups.lab.swarmctl("backup", "list", "--from", backups.store, "--format", "json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, object]] = json.loads(done.stdout)
    return found


def sql(lab: Lab, statement: str) -> str:
    container = "$(sudo docker ps -q --filter name=three_tier_db)"
    command = f'psql -tA -U "$POSTGRES_USER" "$POSTGRES_DB" -c "{statement}"'
    done = lab.ssh(f"{CLUSTER}_wkr1", f"sudo docker exec {container} sh -c '{command}'")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def message(lab: Lab) -> object:
    """What the three tiers answer: the database wants its password, which is a secret.

    Found as clients find it: managers that start anew do not know host ports that nodes chose.
    Without the replicas that happened to answer; the database's address and start remain.
    """
    at = endpoints(lab, "three_tier_web")[0]
    connection = http.client.HTTPConnection(at["address"], at["port"], timeout=10)
    connection.request("GET", "/api/message")
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, body
    said = json.loads(body)
    for replica in ("web", "api"):
        del said["served_by"][replica]
    return said


def test_check_mode_names_the_manager_and_takes_nothing(backups: Backups) -> None:
    """Broken: an operator learns which manager is stopped when it is."""
    leader = next(n["name"] for n in backups.lab.status()["nodes"] if n["leader"])
    shown = backups.playbook("backup", "--check").ok()
    found = re.search(r"The Engine of (\S+) would be stopped", " ".join(shown.output.split()))
    assert found, shown.output
    assert found[1] in set(MANAGERS) - {leader}
    assert listed(backups) == []


def test_a_backup_loses_no_request_and_the_leader_stays(
    backups: Backups, capsys: pytest.CaptureFixture[str]
) -> None:
    """Broken: a nightly backup is a nightly outage."""
    lab = backups.lab
    leader = next(n["name"] for n in lab.status()["nodes"] if n["leader"])
    with requests_a_second(lab.address(f"{CLUSTER}_wkr2"), "/", RATE) as sent:
        backups.playbook("backup").ok()
    (kept,) = listed(backups)
    with capsys.disabled():
        print(f"\nEngine down {kept['engine_down_s']} s; {len(sent.lost)} of {sent.sent} lost")  # noqa: T201
    assert sent.lost == []
    assert next(n["name"] for n in lab.status()["nodes"] if n["leader"]) == leader
    assert {n["availability"] for n in lab.status()["nodes"]} == {"active"}


def test_a_backup_proves_itself(backups: Backups) -> None:
    """Broken: that a backup is useless is found out on the day it is needed."""
    assert "the key fits" in backups.playbook("verify_backup", "--check").ok().output
    assert listed(backups)[0]["proof"] is None
    proven = backups.playbook("verify_backup").ok()
    assert "proven" in proven.output
    (kept,) = listed(backups)
    proof = kept["proof"]
    assert isinstance(proof, dict)
    assert proof["differences"] == []
    assert proof["secrets_read"] == 1


def test_data_of_a_service_comes_back(backups: Backups) -> None:
    """Broken: a table that was dropped by mistake is lost, though there is a backup."""
    lab = backups.lab
    before = sql(lab, "SELECT count(*) FROM messages")
    sql(lab, "DELETE FROM messages")
    backups.playbook("restore_data", "-e", "backup=latest", "-e", "data=messages").ok()
    assert sql(lab, "SELECT count(*) FROM messages") == before != "0"


def test_a_volume_comes_back_as_it_was_between_its_commands(backups: Backups) -> None:
    """Broken: files of a service are in the backup, and nobody can get them out."""
    lab, node = backups.lab, f"{CLUSTER}_wkr1"
    manager = next(n["name"] for n in lab.status()["nodes"] if n["leader"])
    folder = "$(sudo docker volume inspect -f '{{.Mountpoint}}' shop_files)"

    def content() -> str:
        return lab.ssh(node, f"sudo cat {folder}/state").stdout.strip()

    def unused() -> tuple[bool | None, str]:
        users = lab.ssh(node, "sudo docker ps -q --filter volume=shop_files").stdout.strip()
        return (None if users else True), f"{users} uses the volume"

    assert content() == "open", "the command `post` did not run"
    wanted = ("restore_data", "-e", "backup=latest", "-e", "data=files")
    assert "scale the service to 0 first" in backups.playbook(*wanted).output
    assert content() == "open"
    assert lab.ssh(manager, "sudo docker service scale shop_files=0").returncode == 0
    wait_for("the volume to be unused", unused, timeout=60, interval=1)
    backups.playbook(*wanted).ok()
    assert content() == "closed"
    assert lab.ssh(manager, "sudo docker service scale shop_files=1").returncode == 0


def test_a_bad_backup_is_refused_before_anything_is_touched(backups: Backups) -> None:
    """Broken: a restore destroys the manager, and then finds that the backup is damaged."""
    lab, s3 = backups.lab, backups.lab.client("s3")
    before = lab.status()["nodes"]
    (kept,) = listed(backups)
    archive = kept["archive"]
    assert isinstance(archive, dict)
    name = f"swarm_app/{archive['name']}"
    whole = s3.get_object(Bucket="backups", Key=name)["Body"].read()
    other = backups.folder / "other"
    lab.swarmctl("backup", "key", "-o", str(other))
    wanted = ("-e", "backup=latest")
    try:
        for bad, words in ((whole[:-1000], "truncated"), (whole[:-9] + bytes(9), "is damaged")):
            s3.put_object(Bucket="backups", Key=name, Body=bad)
            refused = backups.playbook("restore", *wanted)
            assert refused.code != 0
            assert words in refused.output
    finally:
        s3.put_object(Bucket="backups", Key=name, Body=whole)
    refused = backups.playbook("restore", *wanted, "-e", f"backup_identity_file={other}")
    assert "encrypted for other keys" in refused.output
    refused = backups.playbook("restore", *wanted)
    assert refused.code != 0
    assert "two halves of a Swarm would differ for ever" in " ".join(refused.output.split())
    assert lab.status()["nodes"] == before


def test_the_swarm_comes_back_after_all_managers_were_destroyed(
    backups: Backups, capsys: pytest.CaptureFixture[str]
) -> None:
    """Broken: three machines are lost, and with them every secret."""
    lab = backups.lab
    (kept,) = listed(backups)
    workers = {n["name"]: n["id"] for n in lab.status()["nodes"] if n["role"] == "worker"}
    answer = message(lab)
    ids = [str(lab.instance(name)["InstanceId"]) for name in MANAGERS]
    lab.ec2.terminate_instances(InstanceIds=ids)
    lab.ec2.get_waiter("instance_terminated").wait(
        InstanceIds=ids, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
    )
    shown = backups.playbook("restore", "--check", "-e", "backup=latest").ok()
    assert "The Swarm would be restored" in " ".join(shown.output.split())
    began = time.monotonic()
    with requests_a_second(lab.address(f"{CLUSTER}_wkr2"), "/", RATE) as sent:
        restored = backups.playbook("restore", "-e", "backup=latest").ok()
        wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=180, interval=1)
    with capsys.disabled():
        took = time.monotonic() - began
        print(f"\nrestored in {took:.0f} s; {len(sent.lost)} of {sent.sent} lost")  # noqa: T201
    assert "Restored in" in restored.output
    nodes = lab.status()["nodes"]
    assert sorted(n["name"] for n in nodes if n["role"] == "manager") == MANAGERS
    assert {n["name"]: n["id"] for n in nodes if n["role"] == "worker"} == workers
    assert now_missing(backups, kept) == ()
    assert message(lab) == answer
    again = backups.playbook("swarm").ok()
    assert again.changed == 0, again.changes
    assert f"{MANAGERS[0]} confirms 5 of 5 nodes: no visit" in again.output


def test_a_paused_manager_that_was_drained_for_a_backup_is_paused_again(backups: Backups) -> None:
    """Broken: each backup lets tasks back on a manager that an operator keeps free."""
    lab = backups.lab
    leader = next(n["name"] for n in lab.status()["nodes"] if n["leader"])
    follower = next(name for name in MANAGERS if name != leader)
    create = "sudo docker service create -d --name everywhere --mode global httpd:2.4"
    pause = f"sudo docker node update --availability pause {follower}"
    for command in (create, pause):
        assert lab.ssh(leader, command).returncode == 0
    try:
        wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=120, interval=1)
        taken = backups.playbook("backup", "-e", f"backup_node={follower}").ok()
        assert f"{follower}: drained" in taken.output
        found = {n["name"]: n["availability"] for n in lab.status()["nodes"]}
        assert found[follower] == "pause"
    finally:
        lab.ssh(leader, "sudo docker service rm everywhere")
        lab.ssh(leader, pause.replace("pause", "active"))


def test_an_autolocked_swarm_comes_back_though_its_restore_was_killed(
    backups: Backups,
) -> None:
    """Broken: a lost connection in a restore leaves a manager that no restore touches again."""
    lab = backups.lab
    assert lab.swarmctl("autolock", "on").returncode == 0
    backups.playbook("backup").ok()
    backups.playbook("verify_backup").ok()
    kept = listed(backups)[-1]
    for name in MANAGERS:
        assert lab.ssh(name, "sudo docker swarm leave --force").returncode == 0
    where = ("--from", backups.store, "-i", str(backups.key), "--cluster", CLUSTER, "--yes")
    alone = (str(BIN / "swarmctl"), "backup", "restore", "latest", *where)
    for point in ("the state is put in place", "the Swarm begins anew"):
        killed(lab, point, alone, 300)
    killed_at(lab, "changed: Join as a manager", "restore", *backups.given, "-e", "backup=latest")
    backups.playbook("restore", "-e", "backup=latest").ok()
    wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=180, interval=1)
    assert sorted(n["name"] for n in lab.status()["nodes"] if n["role"] == "manager") == MANAGERS
    assert now_missing(backups, kept) == ()
    assert "nothing to change" in lab.swarmctl("autolock", "on", "--dry-run").stderr
    for name in MANAGERS:
        encrypted = "sudo grep -q ENCRYPTED /var/lib/docker/swarm/certificates/swarm-node.key"
        assert lab.ssh(name, encrypted).returncode == 0, f"{name} is not locked after a restart"


def now_missing(backups: Backups, kept: dict[str, object]) -> tuple[str, ...]:
    """What the manifest has and the live Swarm has not, apart from managers that joined anew."""
    from swarmctl.backup.objects import objects_of
    from swarmctl.cluster import resolve
    from swarmctl.swarm.engine import SwarmEngine

    recorded = kept["objects"]
    assert isinstance(recorded, list)
    wanted = [Object(**one) for one in recorded if one["name"] not in MANAGERS]
    with pytest.MonkeyPatch.context() as patch:
        for key, value in backups.lab.env.items():
            patch.setenv(key, value)
        with resolve(CLUSTER).failover() as swarm:
            found = objects_of(SwarmEngine(swarm))
    return differences(wanted, [one for one in found if one.name not in MANAGERS])
