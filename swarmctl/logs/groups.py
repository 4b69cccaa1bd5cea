"""The log groups of a cluster's stacks.

Made beforehand and with this code: the driver would make a group that keeps its events for ever and
belongs to nobody, and ``amazon.aws.cloudwatchlogs_log_group`` deletes a group with all its events
when it is given a retention that is not in its own list, which lacks five that CloudWatch has.
"""

from __future__ import annotations

from collections.abc import Iterable

from swarmctl.cloud.logs import RETENTIONS, Group, Logs
from swarmctl.errors import RefusedError, UsageError

TAG = "swarmctl:cluster"


def group_name(cluster: str, stack: str) -> str:
    """The log group of a stack; roles/cloudwatch_logs and roles/ec2_iam have the same name."""
    return f"{prefix(cluster)}{stack}"


def prefix(cluster: str) -> str:
    """How the names of a cluster's groups begin."""
    return f"/swarmctl/{cluster}/"


def ensure(
    api: Logs, cluster: str, stacks: Iterable[str], days: int, *, dry_run: bool = False
) -> list[str]:
    """Make the groups that are missing, and set how long all of them keep their events.

    Args:
        api: of a region.
        cluster: value of the tag ``swarmctl:cluster``.
        stacks: one group each.
        days: a value of :data:`swarmctl.cloud.logs.RETENTIONS`.
        dry_run: change nothing.

    Returns:
        What was (would be) changed, a line each.

    Raises:
        UsageError: CloudWatch has no such retention.
        RefusedError: a group of this name belongs to someone else.
        LogsError: a call failed.
    """
    require_retention(days)
    there = {group.name: group for group in api.groups(prefix(cluster))}
    wanted = [group_name(cluster, stack) for stack in stacks]
    for name in wanted:  # before anything is changed
        if name in there:
            _require_ours(api, there[name], cluster)
    changes = []
    for name in wanted:
        group = there.get(name)
        if group is None:
            changes.append(f"{name}: created, keeps events for {_days(days)}")
            if not dry_run:
                api.create(name, {TAG: cluster})
        elif group.retention != days:
            before = _days(group.retention) if group.retention else "ever"
            changes.append(f"{name}: keeps events for {_days(days)}, before for {before}")
        if not dry_run and (group is None or group.retention != days):
            api.keep_for(name, days)
    return changes


def remove(api: Logs, cluster: str, *, dry_run: bool = False) -> list[str]:
    """Delete the cluster's groups with all their events.

    Args:
        api: of a region.
        cluster: value of the tag ``swarmctl:cluster``; others are left.
        dry_run: change nothing.

    Returns:
        The names.

    Raises:
        LogsError: a call failed.
    """
    ours = [g.name for g in api.groups(prefix(cluster)) if api.tags(g).get(TAG) == cluster]
    if not dry_run:
        for name in ours:
            api.delete(name)
    return ours


def require_retention(days: int) -> None:
    """Refuse what CloudWatch refuses.

    Raises:
        UsageError: with the values that are allowed.
    """
    if days not in RETENTIONS:
        raise UsageError(
            f"CloudWatch Logs keeps no events for {_days(days)}",
            f"allowed, in days: {', '.join(map(str, RETENTIONS))}",
        )


def _require_ours(api: Logs, group: Group, cluster: str) -> None:
    owner = api.tags(group).get(TAG)
    if owner != cluster:
        raise RefusedError(
            f"the log group {group.name} exists and does not belong to {cluster}: its tag {TAG} is "
            f"{owner or 'missing'}; nothing was changed",
            "give the cluster or the stack another name, or tag the group if it is this cluster's",
        )


def _days(number: int) -> str:
    return f"{number} day" if number == 1 else f"{number} days"
