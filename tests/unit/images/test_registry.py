"""Names in the registry, pushing, and what may be removed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import docker
import docker.errors
import pytest

from swarmctl.cloud.ecr import Ecr, EcrError, StoredImage, Token
from swarmctl.cloud.ecr_repositories import ensure_repositories, remove_repositories
from swarmctl.errors import UsageError
from swarmctl.images import publish
from swarmctl.images.home import Home, find_home
from swarmctl.images.mirror import no_copies
from swarmctl.images.names import BUILT, MIRRORED, MissingImageError, local_names, registry_names
from swarmctl.images.push import PushError, push, refused
from swarmctl.images.source import image_sources
from swarmctl.images.stored import Stored, repositories_of, stored_images, unused
from swarmctl.registry.api import Registry
from swarmctl.registry.credentials import Credentials, Keyring
from swarmctl.registry.reference import Reference

DIGEST = "sha256:" + "0a" * 32
START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeApi:
    """A registry's API with some images: name without host → digest."""

    def __init__(self, **images: str) -> None:
        self.images = images
        self.tagged: list[str] = []

    def digest(self, image: Reference) -> str | None:
        return self.images.get(f"{image.repository}:{image.tag}")

    def tag(self, image: Reference, tag: str) -> None:
        self.tagged.append(f"{image.repository}@{image.digest} {tag}")


class FakeKeyring:
    def __init__(self) -> None:
        self.asked = 0

    def find(self, host: str) -> Credentials:
        self.asked += 1
        return Credentials(host, "AWS", f"token {self.asked}")


class FakeHome(Home):
    def api(self) -> Registry:
        return cast(Registry, REGISTRY[0])


REGISTRY = [FakeApi()]


def home(**images: str) -> Home:
    REGISTRY[0] = FakeApi(**images)
    keyring = cast(Keyring, FakeKeyring())
    return FakeHome("reg.example:5000", "team/swarm_app", None, keyring)


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    folder = tmp_path / "shop" / "images" / "api"
    folder.mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    return tmp_path / "shop"


# --- names ----------------------------------------------------------------------------------------


def test_a_registry_is_named_with_its_path_or_as_ecr() -> None:
    plain = find_home("reg.example:5000/team", "swarm_app")
    assert (plain.host, plain.repository("shop", "api")) == (
        "reg.example:5000",
        "team/swarm_app/shop/api",
    )
    assert find_home("reg.example", "a").repository("shop", "api") == "a/shop/api"
    assert find_home("reg.example/my-image", "a").repository("s", "b") == "my-image/a/s/b"

    class OneEcr:
        def token(self) -> Token:
            return Token("1.dkr.ecr.eu-central-1.amazonaws.com", "AWS", "x", START)

    ecr = find_home("ecr", "swarm_app", lambda: cast(Ecr, OneEcr()))
    assert str(ecr.image("Shop__1", "api", "t")) == (
        "1.dkr.ecr.eu-central-1.amazonaws.com/swarm_app/shop-1/api:t"
    )


@pytest.mark.parametrize(
    ("setting", "cluster", "message"),
    [
        ("", "a", "no registry is set"),
        ("ecr", "", "no cluster is named"),
        ("team", "a", "'team' is no registry"),
        ("https://reg.example", "a", "is no registry"),
    ],
)
def test_what_is_missing_is_said_with_what_to_set(setting: str, cluster: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        find_home(setting, cluster)
    assert caught.value.hint


def test_a_rendered_stack_names_its_images_by_digest(stack: Path) -> None:
    local = local_names(stack, {}, [(BUILT, "api"), (MIRRORED, "httpd:2.4")])
    tag = local[BUILT, "api"].removeprefix("shop/api:")
    assert local[MIRRORED, "httpd:2.4"] == "httpd:2.4"

    found = registry_names(
        lambda: home(
            **{
                f"team/swarm_app/shop/api:{tag}": DIGEST,
                "team/swarm_app/mirror/library/httpd:2.4": DIGEST,
            }
        )
    )(stack, {}, [(BUILT, "api"), (MIRRORED, "httpd:2.4")])
    assert found == {
        (BUILT, "api"): f"reg.example:5000/team/swarm_app/shop/api:{tag}@{DIGEST}",
        (MIRRORED, "httpd:2.4"): (
            f"reg.example:5000/team/swarm_app/mirror/library/httpd:2.4@{DIGEST}"
        ),
    }


def test_an_image_that_was_not_pushed_stops_a_deploy_and_is_noted_by_diff(stack: Path) -> None:
    with pytest.raises(MissingImageError, match="not in the registry") as caught:
        registry_names(home)(stack, {}, [(BUILT, "api")])
    assert "swarmctl image push shop" in caught.value.hint
    with pytest.raises(MissingImageError, match="no copy of httpd") as caught:
        registry_names(home)(stack, {}, [(MIRRORED, "httpd:2.4")])
    assert "swarmctl image mirror shop" in caught.value.hint
    noted: list[str] = []
    names = registry_names(home, missing=lambda fault: noted.append(fault.message))
    assert "@" not in names(stack, {}, [(BUILT, "api")])[BUILT, "api"]
    assert len(noted) == 1


def test_an_older_tag_goes_back_to_an_older_image(stack: Path) -> None:
    values = {"images": {"api": {"tag": "old"}}}
    there = home(**{"team/swarm_app/shop/api:old": DIGEST})
    found = registry_names(lambda: there)(stack, values, [(BUILT, "api")])
    assert found[BUILT, "api"].endswith(f"/shop/api:old@{DIGEST}")


def test_a_stack_s_own_images_are_not_copied(stack: Path) -> None:
    questions = [(BUILT, "api"), (MIRRORED, "httpd:2.4")]
    found = no_copies(home())(stack, {}, questions)
    assert found == {
        (BUILT, "api"): "reg.example:5000/own",
        (MIRRORED, "httpd:2.4"): "httpd:2.4",
    }


# --- pushing --------------------------------------------------------------------------------------


class FakeEngine:
    """The Engine's API, as far as a push uses it."""

    def __init__(self, *events: dict[str, Any]) -> None:
        self.events, self.tags, self.logins = events, set[str](), list[str]()
        self.api = self

    def tag(self, _: str, name: str, tag: str) -> None:
        self.tags.add(f"{name}:{tag}")

    def push(self, *_: str, auth_config: dict[str, str], **__: Any) -> Iterator[dict[str, Any]]:
        self.logins.append(auth_config["password"])
        yield from self.events

    def remove_image(self, name: str, **_: Any) -> None:
        self.tags.remove(name)


TARGET = Reference("reg.example:5000/a/api", "reg.example:5000", "a/api", "t")
DONE = {"aux": {"Tag": "t", "Digest": DIGEST}}


def pushed(engine: FakeEngine, there: Home) -> str:
    return push(cast(docker.DockerClient, engine), "shop/api:t", TARGET, there)


def test_each_push_gets_a_login_of_its_own_and_leaves_no_name_behind() -> None:
    engine, there = FakeEngine({"status": "Pushing"}, DONE), home()
    assert pushed(engine, there) == pushed(engine, there) == DIGEST
    assert engine.logins == ["token 1", "token 2"]
    assert engine.tags == set()


def test_what_the_registry_has_is_not_pushed_again() -> None:
    engine = FakeEngine()
    assert pushed(engine, home(**{"a/api:t": DIGEST})) == DIGEST
    assert engine.logins == []


def test_a_failed_push_leaves_no_name_behind_and_shows_no_password() -> None:
    engine = FakeEngine({"error": "unauthorized: authentication required"})
    with pytest.raises(PushError, match=r"reg\.example:5000/a/api:t was not pushed") as caught:
        pushed(engine, home())
    assert engine.tags == set()
    assert "token" not in caught.value.message


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("unauthorized: authentication required", "docker login reg.example:5000"),
        ("denied: Your authorization token has expired. Reauthenticate", "clock"),
        ("no basic auth credentials", "docker login"),
        ("name unknown: The repository with name 'a/api' does not exist", "playbooks/images.yml"),
        ("tag invalid: The image tag 't' already exists … the tag is immutable.", "another tag"),
        ("received unexpected HTTP status: 500 Internal Server Error", "is the registry full?"),
        ("unknown: unknown error: no space left on device", "swarmctl image prune"),
        ('Get "https://reg.example:5000/v2/": dial tcp: connection refused', "curl -v"),
        ("http: server gave HTTP response to HTTPS client", "plain HTTP"),
        ("x509: certificate signed by unknown authority", "/etc/docker/certs.d/reg.example:5000"),
    ],
)
def test_a_refused_push_says_what_to_do(reason: str, advice: str) -> None:
    fault = refused(TARGET, reason)
    assert reason[:40] in fault.message
    assert advice in fault.hint


def test_the_commit_is_a_second_tag_of_a_complete_image(
    stack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = image_sources(stack, {})["api"]
    tag = local_names(stack, {}, [(BUILT, "api")])[BUILT, "api"].removeprefix("shop/api:")
    name = "team/swarm_app/shop/api"
    there = home(**{f"{name}:{tag}": DIGEST})
    publish.push_images([source], there, lambda _: None, "c0ffee")
    assert REGISTRY[0].tagged == [f"{name}@{DIGEST} c0ffee"]
    there = home(**{f"{name}:{tag}": DIGEST, f"{name}:c0ffee": "sha256:other"})
    with pytest.raises(UsageError, match="exists and is another image"):
        publish.push_images([source], there, lambda _: None, "c0ffee")


def test_a_folder_without_git_has_no_commit(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not in a git repository"):
        publish.commit_of(tmp_path)


# --- what is there --------------------------------------------------------------------------------


class FakeEcr:
    def images(self, repository: str) -> list[StoredImage]:
        return [
            StoredImage("sha256:" + f"{n}" * 64, (f"t{n}",), n, START.replace(day=n))
            for n in (4, 3, 2, 1)
        ]


def service(image: str, previous: str = "") -> dict[str, Any]:
    def spec(name: str) -> dict[str, Any]:
        return {"Name": "shop_api", "TaskTemplate": {"ContainerSpec": {"Image": name}}}

    return {"Spec": spec(image)} | ({"PreviousSpec": spec(previous)} if previous else {})


def test_an_image_is_in_use_by_a_service_or_by_what_a_rollback_would_start() -> None:
    there = replace(home(), ecr=cast(Ecr, FakeEcr()))
    name = "reg.example:5000/a/api"
    digest = "sha256:" + "3" * 64
    services = [
        service(f"{name}:x@{digest}", f"{name}:t1"),
        service(f"other.example/a/api:x@{digest}"),
        service("not an image"),
    ]
    found = stored_images(there, ["a/api"], services)
    assert {i.tags[0]: i.used_by for i in found} == {
        "t4": (),
        "t3": ("shop_api",),
        "t2": (),
        "t1": ("shop_api (previous)",),
    }
    assert [i.tags[0] for i in unused(found, keep=1)] == ["t2"]
    assert [i.tags[0] for i in unused(found, keep=0)] == ["t4", "t2"]


def test_an_image_without_a_tag_may_be_a_part_of_another_and_stays() -> None:
    assert unused([Stored("a", DIGEST, (), 1, START)], keep=0) == []


# --- repositories ---------------------------------------------------------------------------------


class FakeRepositories:
    """ECR's repositories: name → what is set."""

    def __init__(self, cluster: str = "swarm_app", *names: str) -> None:
        self.cluster, self.there, self.changes = cluster, dict[str, dict[str, Any]](), list[str]()
        self.documents: dict[tuple[str, str], str] = {}
        for name in names:
            self.there[name] = {
                "repositoryName": name,
                "repositoryArn": name,
                "imageTagMutability": "MUTABLE",
            }

    def described(self) -> list[dict[str, Any]]:
        return list(self.there.values())

    def call(self, operation: str, **given: Any) -> dict[str, Any]:
        name = given.get("repositoryName", "")
        document = operation.partition("_")[2]
        if operation.startswith("get_"):
            if (name, document) not in self.documents:
                code = {"lifecycle_policy": "LifecyclePolicyNotFound"}
                raise EcrError("none", code=code.get(document, "RepositoryPolicyNotFound"))
            key = "lifecyclePolicyText" if document == "lifecycle_policy" else "policyText"
            return {key: self.documents[name, document]}
        if operation == "list_tags_for_resource":
            return {"tags": [{"Key": "swarmctl:cluster", "Value": self.cluster}]}
        self.changes.append(operation)
        if document.endswith("_policy"):
            text = given.get("lifecyclePolicyText") or given.get("policyText")
            if text:
                self.documents[name, document] = text
            else:
                del self.documents[name, document]
        elif operation == "create_repository":
            self.there[name] = {**given, "repositoryArn": name}
        elif operation == "delete_repository":
            del self.there[name]
        else:
            self.there[name].update(given)
        return {}


def ensured(fake: FakeRepositories, **options: Any) -> list[str]:
    return ensure_repositories(cast(Ecr, fake), "swarm_app", ["a/b"], **options)


def test_a_repository_is_made_once_with_immutable_tags_and_a_scan() -> None:
    fake = FakeRepositories()
    assert ensured(fake, dry_run=True) == ["+ repository a/b"]
    assert fake.changes == []
    assert ensured(fake) == ["+ repository a/b"]
    made = fake.there["a/b"]
    assert made["imageTagMutability"] == "IMMUTABLE"
    assert made["imageScanningConfiguration"] == {"scanOnPush": True}
    assert made["tags"] == [{"Key": "swarmctl:cluster", "Value": "swarm_app"}]
    assert '"untagged"' in fake.documents["a/b", "lifecycle_policy"]
    assert ensured(fake) == []


def test_a_repository_that_was_changed_by_hand_is_set_right() -> None:
    fake = FakeRepositories("swarm_app", "a/b")
    assert ensured(fake) == [
        "~ repository a/b: tags immutable",
        "~ repository a/b: scan on push",
        "~ repository a/b: lifecycle policy",
    ]
    assert ensured(fake) == []


def test_others_may_pull_as_long_as_they_are_named() -> None:
    fake = FakeRepositories()
    ensured(fake)
    assert ensured(fake, pull=["arn:aws:iam::1:root"]) == ["~ repository a/b: repository policy"]
    assert "arn:aws:iam::1:root" in fake.documents["a/b", "repository_policy"]
    assert ensured(fake) == ["- repository a/b: repository policy"]


def test_another_cluster_s_repository_is_left_alone() -> None:
    fake = FakeRepositories("other", "a/b")
    with pytest.raises(EcrError, match="has no tag swarmctl:cluster=swarm_app"):
        ensured(fake)
    assert remove_repositories(cast(Ecr, fake), "swarm_app") == []
    assert remove_repositories(cast(Ecr, fake), "other", dry_run=True) == ["- repository a/b"]
    assert fake.changes == []
    assert remove_repositories(cast(Ecr, fake), "other") == ["- repository a/b"]
    assert fake.there == {}


def test_a_repository_without_the_clusters_tag_is_not_looked_at() -> None:
    """Its images are used by services that nobody has asked for: they would be pruned."""
    names = ("swarm_app/shop/api", "swarm_app/shop/web", "other/shop/api")
    fake = FakeRepositories("swarm_app", *names)
    home = Home("reg.example", "swarm_app", cast(Ecr, fake), cluster="swarm_app")
    assert repositories_of(home, [], complete=True) == list(names[:2])
    fake.cluster = "somebody-else"
    assert repositories_of(home, [], complete=True) == []
