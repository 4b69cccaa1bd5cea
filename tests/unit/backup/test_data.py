"""Data of services is copied where it is, by the commands of the settings."""

import subprocess

import pytest

from swarmctl.backup.data import Source, copy_script, load_script, placed, sources
from swarmctl.backup.manifest import DataCopy, File
from swarmctl.errors import RefusedError, UsageError
from tests.unit.engine_json import node, service, swarm, task

DUMP = Source("db", "db", dump="pg_dump -U 'app'", load="psql")
FILES = Source("files", "db", volume="db_data", pre="echo 'a b'", post="rm -f '/x y'")


def test_the_setting_is_read_and_its_mistakes_are_named() -> None:
    assert sources('[{"name": "db", "service": "db", "dump": "pg_dump"}]')[0].dump == "pg_dump"
    assert sources("") == ()
    for text, words in (
        ('[{"name": "../x", "service": "db", "dump": "x"}]', "has the name '../x'"),
        ('[{"name": "db", "service": "db"}]', "either volume or dump"),
        ('[{"name": "db", "service": "db", "dump": "x", "volume": "y"}]', "either volume or dump"),
        ('[{"name": "db"}]', "cannot be read"),
    ):
        with pytest.raises(UsageError, match=words):
            sources(text)


def test_the_volume_of_several_nodes_is_refused_and_their_dump_is_not() -> None:
    nodes = [node("w1"), node("w2")]
    found = swarm(nodes, [service("db", replicas=2)], [task("db", "w1"), task("db", "w2")])
    assert placed(found, DUMP).service_id == "id-db"
    with pytest.raises(RefusedError, match="runs on 2 nodes"):
        placed(found, FILES)
    with pytest.raises(RefusedError, match="no replica of db serves"):
        placed(swarm(nodes, [service("db")], []), DUMP)


def test_the_scripts_pass_commands_with_quotes_through_a_shell() -> None:
    found = swarm([node("w1")], [service("db")], [task("db", "w1", id="t1")])
    one = placed(found, DUMP)
    fake = 'docker() { [ "$1" = exec ] && printf "%s|" "$@" || echo id; }\ntar() { echo tar; }\n'
    told = {}
    for source in (DUMP, FILES):
        done = subprocess.run(
            ["sh", "-c", fake + copy_script(source, one)], capture_output=True, check=True
        )
        told[source.name] = done.stdout.decode(), done.stderr.decode()
    assert told["db"] == ("exec|id|sh|-c|pg_dump -U 'app'|", "")
    assert told["files"] == ("tar\n", "exec|id|sh|-c|echo 'a b'|exec|id|sh|-c|rm -f '/x y'|")


def test_a_volume_in_use_is_never_overwritten() -> None:
    copy = DataCopy("files", "db", "db_data", "w1", File("f", "", 0))
    fake = "docker() { [ $1 = ps ] && echo db.1; :; }\nfind() { echo DELETED; }\n"
    script = fake + load_script(FILES, copy, None)
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=False)
    assert done.returncode == 1
    assert b"db.1 uses the volume: scale the service to 0 first" in done.stderr
    assert b"DELETED" not in done.stdout
