"""A restored Swarm is compared object by object; nothing secret is recorded."""

from typing import Any

from swarmctl.backup.manifest import Object, Proof
from swarmctl.backup.objects import differences, digest, objects_of
from swarmctl.backup.record import last_backup, record, record_proof
from tests.unit.backup.made import NAME, manifest
from tests.unit.engine_fake import FakeEngine, object_spec, service_spec
from tests.unit.engine_json import node


class Whole(FakeEngine):
    """The fake Engine with a Swarm and a node."""

    def get(self, path: str, **filters: list[str]) -> Any:
        if path == "/swarm":
            return {"ID": "swarm", "Spec": {"Name": "default"}, "SubnetSize": 24, "Version": 7}
        if path == "/nodes":
            marks = {"swarmctl.draining": "now", "swarmctl.availability-before": "pause"}
            return [node("m1", "manager", labels={"az": "a", **marks})]
        return super().get(path, **filters)


def test_every_kind_of_object_is_listed_without_its_content() -> None:
    engine = Whole()
    engine.add("secrets", object_spec("password", data="c2VjcmV0"))
    engine.add("configs", object_spec("conf"))
    engine.add("services", service_spec("web"))
    engine.add("networks", {"Name": "net", "Driver": "overlay"})
    engine.add("configs", object_spec("swarmctl-chaos-lock"))
    found = objects_of(engine)
    assert [(o.kind, o.name) for o in found] == [
        ("config", "conf"),
        ("network", "net"),
        ("node", "m1"),
        ("secret", "password"),
        ("service", "shop_web"),
        ("swarm", "default"),
    ]
    assert "c2VjcmV0" not in repr(found)


def test_a_drain_for_the_backup_is_no_difference() -> None:
    (found,) = (o for o in objects_of(Whole()) if o.kind == "node")
    assert found.digest == digest({"Role": "manager", "Labels": {"az": "a"}})


def test_missing_changed_renamed_and_new_objects_are_named() -> None:
    wanted = (Object("secret", "1", "a", "x"), Object("config", "2", "b", "x"))
    found = (Object("config", "2", "c", "x"), Object("node", "3", "n", "x"))
    assert differences(wanted, wanted) == ()
    assert differences(wanted, found) == (
        "secret a (1) is missing",
        "config b (2) has another specification, now called c",
        "node n (3) is not in the manifest",
    )


def test_the_last_backup_and_its_proof_are_found_in_the_swarm() -> None:
    engine = FakeEngine()
    assert last_backup(engine) is None
    record(engine, manifest(), "s3://bucket/x")
    record_proof(engine, Proof(NAME, "2026-02-01T00:00:00+00:00", "26.1.5", 70, 16, 1, ("x",)))
    record(engine, manifest(), "/backups")
    found = last_backup(engine)
    assert found is not None
    assert (found.name, found.where, found.proven, found.differences) == (NAME, "/backups", NAME, 1)
    assert found.at.isoformat() == "2026-01-31T12:00:00+00:00"
    assert engine.names("configs") == ["swarmctl-backup"]
