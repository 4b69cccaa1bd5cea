"""Which node lacks which image: by digest, platform and constraints; and where nobody knows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from swarmctl.errors import UsageError
from swarmctl.prefetch.plan import Pull, out_of_reach, pulls, sentences
from swarmctl.prefetch.survey import chosen
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.node import stored_name
from swarmctl.swarm.observe.images import image_names
from swarmctl.swarm.parse import SnapshotError, parse_swarm
from tests.unit.engine_json import node, service, template

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
IMAGE = f"httpd:2.4@{DIGEST}"


def one_service(image: str = IMAGE, *constraints: str, **images: list[str]) -> Swarm:
    """The service ``web`` on mgr1, wkr1 and wkr2, whose images are given by name of the node."""
    spec = template(image, Placement={"Constraints": list(constraints)})
    return parse_swarm(
        {
            "nodes": [node("mgr1", "manager", leader=True), node("wkr1"), node("wkr2")],
            "services": [service("web", spec=spec)],
            "tasks": [],
            "images": {f"id-{name}": listed for name, listed in images.items()},
        }
    )


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("httpd", "httpd:latest"),
        ("httpd:2.4", "httpd:2.4"),
        ("docker.io/library/httpd:2.4", "httpd:2.4"),
        ("index.docker.io/team/api", "team/api:latest"),
        (IMAGE, f"httpd@{DIGEST}"),
        (f"10.0.0.9:5000/team/api:1@{DIGEST}", f"10.0.0.9:5000/team/api@{DIGEST}"),
        ("10.0.0.9:5000/team/api", "10.0.0.9:5000/team/api:latest"),
        (DIGEST, DIGEST),
    ],
)
def test_an_image_is_found_under_the_name_that_the_engine_lists(image: str, name: str) -> None:
    assert stored_name(image) == name


def test_an_image_of_the_same_tag_and_another_digest_has_to_be_pulled() -> None:
    there = one_service(
        mgr1=[f"httpd@{DIGEST}"], wkr1=["httpd:2.4", f"httpd@{OTHER}"], wkr2=[f"httpd@{DIGEST}"]
    )
    assert pulls(there, there.services) == (Pull("wkr1", IMAGE, ("web",)),)
    assert sentences(pulls(there, there.services)) == [
        "web: would have to pull httpd:2.4 on wkr1; beforehand: swarmctl image prefetch"
    ]


def test_a_node_that_was_not_asked_is_pulled_on_but_not_warned_of() -> None:
    there = one_service(mgr1=[f"httpd@{DIGEST}"], wkr1=[])
    assert [pull.node for pull in pulls(there, there.services)] == ["wkr1", "wkr2"]
    assert [pull.node for pull in pulls(there, there.services, unknown=False)] == ["wkr1"]


def test_only_nodes_that_may_run_the_service_get_its_image() -> None:
    workers = one_service(IMAGE, "node.role==worker")
    assert [pull.node for pull in pulls(workers, workers.services)] == ["wkr1", "wkr2"]
    arm = replace(workers.services[0], platforms=(("linux", "arm64"),))
    assert pulls(workers, [arm]) == ()
    drained = [replace(n, availability="drain") for n in workers.nodes]
    assert pulls(replace(workers, nodes=tuple(drained)), workers.services) == ()


def test_services_with_one_image_share_a_pull() -> None:
    there = one_service(IMAGE, "node.hostname==wkr1")
    second = replace(there.services[0], name="web2")
    assert pulls(there, [*there.services, second]) == (Pull("wkr1", IMAGE, ("web", "web2")),)
    assert len(sentences(pulls(there, [*there.services, second]))) == 2


def test_a_node_that_is_down_is_named_if_it_would_run_the_service() -> None:
    workers = one_service(IMAGE, "node.role==worker")
    down = replace(workers, nodes=tuple(replace(n, state="down") for n in workers.nodes))
    assert [n.hostname for n in out_of_reach(down, down.services)] == ["wkr1", "wkr2"]
    assert pulls(down, down.services) == ()


def test_services_are_chosen_by_stack_and_by_name() -> None:
    there = one_service()
    for names in ((), ("web",), ("three_tier",), ("three_tier", "web")):
        assert [s.name for s in chosen(there, names)] == ["web"]
    with pytest.raises(UsageError, match="unknown stack or service 'wbe'"):
        chosen(there, ["wbe"])


def test_what_docker_lists_becomes_names_with_tag_with_digest_and_ids() -> None:
    lines = [
        f"httpd:<none> httpd@{DIGEST} {OTHER}",
        f"node:20 node@<none> {DIGEST}",
        f"<none>:<none> <none>@<none> {DIGEST}",
    ]
    assert image_names(lines) == {f"httpd@{DIGEST}", OTHER, "node:20", DIGEST}


def test_images_in_a_snapshot_file_are_lists_of_texts() -> None:
    with pytest.raises(SnapshotError, match=r"images.id-wkr1: expected a list, found 'httpd'"):
        one_service(wkr1="httpd")  # type: ignore[arg-type]
    with pytest.raises(SnapshotError, match="images: expected an object"):
        parse_swarm({"nodes": [], "services": [], "tasks": [], "images": ["httpd"]})
