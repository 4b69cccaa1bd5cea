"""Log groups are made for the cluster alone, and no existing one loses an event unasked."""

from __future__ import annotations

from typing import Any, cast

import jinja2
import pytest

from swarmctl.cli import log_group
from swarmctl.cloud.logs import Group, Logs
from swarmctl.errors import RefusedError, UsageError
from swarmctl.lab.access.policies import Verdict, judge
from swarmctl.logs.groups import TAG, ensure, group_name, remove
from tests.unit.ansible.filters import ROOT

WEB, API = "/swarmctl/shop/web", "/swarmctl/shop/api"


class Cloud:
    """CloudWatch Logs in memory: retention and owner by name."""

    def __init__(self, **groups: tuple[int | None, str]) -> None:
        self.there = {f"/swarmctl/shop/{name}": group for name, group in groups.items()}
        self.deleted: list[str] = []

    def groups(self, prefix: str) -> list[Group]:
        return [Group(n, n, days) for n, (days, _) in self.there.items() if n.startswith(prefix)]

    def tags(self, group: Group) -> dict[str, str]:
        owner = self.there[group.name][1]
        return {TAG: owner} if owner else {}

    def create(self, name: str, tags: dict[str, str]) -> None:
        assert name not in self.there
        self.there[name] = (None, tags[TAG])

    def keep_for(self, name: str, days: int) -> None:
        self.there[name] = (days, self.there[name][1])

    def delete(self, name: str) -> None:
        del self.there[name]
        self.deleted.append(name)


def make(cloud: Cloud, days: int = 30, **options: Any) -> list[str]:
    return ensure(cast(Logs, cloud), "shop", ["web", "api"], days, **options)


def test_missing_groups_are_made_and_a_second_run_changes_nothing() -> None:
    cloud = Cloud(web=(7, "shop"))
    told = [
        f"{WEB}: keeps events for 30 days, before for 7 days",
        f"{API}: created, keeps events for 30 days",
    ]
    assert make(cloud, dry_run=True) == told
    assert cloud.there == {WEB: (7, "shop")}
    assert make(cloud) == told
    assert cloud.there == {WEB: (30, "shop"), API: (30, "shop")}
    assert make(cloud) == []
    assert cloud.deleted == []


def test_a_group_that_was_left_without_a_retention_by_a_failed_run_gets_one() -> None:
    cloud = Cloud(web=(None, "shop"), api=(30, "shop"))
    assert make(cloud) == [f"{WEB}: keeps events for 30 days, before for ever"]


@pytest.mark.parametrize("owner", ["other", ""])
def test_a_group_of_someone_else_is_refused_before_anything_is_changed(owner: str) -> None:
    cloud = Cloud(api=(7, owner))
    with pytest.raises(RefusedError, match="does not belong to shop"):
        make(cloud)
    assert cloud.there == {API: (7, owner)}


@pytest.mark.parametrize("days", [0, 2, 366])
def test_a_retention_that_cloudwatch_does_not_have_is_refused(days: int) -> None:
    """Broken: the group is made, and then keeps its events for ever."""
    cloud = Cloud()
    with pytest.raises(UsageError, match=f"keeps no events for {days} days") as refused:
        make(cloud, days)
    assert "1096, 1827" in refused.value.hint
    assert cloud.there == {}


def test_only_the_clusters_own_groups_are_deleted() -> None:
    cloud = Cloud(web=(7, "shop"), api=(7, "other"))
    cloud.there["/swarmctl/shop2/web"] = (7, "shop2")
    logs = cast(Logs, cloud)
    assert remove(logs, "shop", dry_run=True) == [WEB]
    assert cloud.deleted == []
    assert remove(logs, "shop") == [WEB]
    assert cloud.deleted == [WEB]


def test_events_are_deleted_only_after_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = Cloud(web=(7, "shop"))
    monkeypatch.setattr("swarmctl.cloud.logs.Logs", lambda: cloud)
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    with pytest.raises(RefusedError, match="all events in /swarmctl/shop/web would be lost"):
        log_group.remove("shop")
    log_group.remove("shop", dry_run=True)
    assert cloud.deleted == []
    log_group.remove("shop", yes=True)
    assert cloud.deleted == [WEB]


@pytest.mark.parametrize(
    ("action", "group", "verdict"),
    [
        ("PutLogEvents", group_name("shop", "web"), Verdict.ALLOWED),
        ("CreateLogStream", group_name("shop", "web"), Verdict.ALLOWED),
        ("PutLogEvents", group_name("shop2", "web"), Verdict.NOT_ALLOWED),
        ("CreateLogGroup", group_name("shop", "web"), Verdict.NOT_ALLOWED),
        ("GetLogEvents", group_name("shop", "web"), Verdict.NOT_ALLOWED),
        ("DeleteLogGroup", group_name("shop", "web"), Verdict.NOT_ALLOWED),
    ],
)
def test_nodes_may_write_to_their_clusters_groups_and_do_nothing_else(
    action: str, group: str, verdict: Verdict
) -> None:
    source = (ROOT / "roles/ec2_iam/templates/logs.json.j2").read_text()
    policy = jinja2.Template(source, undefined=jinja2.StrictUndefined).render(
        ec2_iam_cluster="shop", ec2_iam_region="eu-central-1"
    )
    where = f"arn:aws:logs:eu-central-1:123456789012:log-group:{group}:log-stream:web.1"
    assert judge([policy], f"logs:{action}", [where], {}) is verdict
