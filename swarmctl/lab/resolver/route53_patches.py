"""A patch for moto 5.2.5's Route 53: a batch of changes is judged as a whole, and exactly.

In moto, batches are half done when they fail, DELETE takes more than it names, and CREATE makes a
name twice. Can be removed when moto does the same.
https://docs.aws.amazon.com/Route53/latest/APIReference/API_ChangeResourceRecordSets.html
"""

from __future__ import annotations

from typing import Any

from moto.route53 import models
from moto.route53.exceptions import Route53ClientError

from swarmctl.lab.resolver.records import absolute

MOST_CHANGES = 1000
MOST_CHARACTERS = 32_000


def apply() -> None:
    """Patch moto in this process."""
    backend: Any = models.Route53Backend  # Any: its method is replaced
    backend.change_resource_record_sets = _change


def _change(self: Any, zoneid: str, change_list: list[dict[str, Any]]) -> None:
    zone = self.get_hosted_zone(zoneid)
    _require_size(change_list)
    records, problems = list(zone.rrsets), []
    for change in change_list:
        action, given = change["Action"], _record(change["ResourceRecordSet"])
        what = f"resource record set [name='{given.name}', type='{given.type}']"
        here = [r for r in records if _key(r) == _key(given)]
        root = absolute(zone.name)
        if not f".{given.name}".endswith(f".{root}"):
            problems.append(f"RRSet with DNS name {given.name} is not permitted in zone {root}")
        elif action == "CREATE" and here:
            problems.append(f"Tried to create {what} but it already exists")
        elif action == "DELETE" and not here:
            problems.append(f"Tried to delete {what} but it was not found")
        elif action == "DELETE" and not _same(here[0], given):
            problems.append(
                f"Tried to delete {what} but the values provided do not match the current values"
            )
        elif action not in ("CREATE", "DELETE", "UPSERT"):
            problems.append(f"{action} is no action")
        else:
            records = [r for r in records if r not in here]
            if action != "DELETE":
                records.append(given)
    if problems:
        raise _invalid(f"[{', '.join(problems)}]")
    zone.rrsets = records


def _require_size(changes: list[dict[str, Any]]) -> None:
    """UPSERT counts twice, as it may be a DELETE and a CREATE."""
    twice = [(c, 2 if c["Action"] == "UPSERT" else 1) for c in changes]
    number = sum(times for _, times in twice)
    characters = sum(
        times * len(str(value.get("Value", "")))
        for change, times in twice
        for value in change["ResourceRecordSet"].get("ResourceRecords") or ()
    )
    for what, size, most in (
        ("records", number, MOST_CHANGES),
        ("characters", characters, MOST_CHARACTERS),
    ):
        if size > most:
            raise _invalid(f"Number of {what} limit of {most} exceeded.")


def _invalid(message: str) -> Route53ClientError:
    return Route53ClientError("InvalidChangeBatch", message)


def _record(given: dict[str, Any]) -> Any:
    values = [value["Value"] for value in given.get("ResourceRecords") or ()]
    record: Any = models.RecordSet  # Any: mypy takes it for abstract
    return record({**given, "Name": absolute(given["Name"]), "ResourceRecords": values})


def _key(record: Any) -> tuple[str, str, str | None]:
    return absolute(record.name), record.type, record.set_identifier or None


def _same(one: Any, other: Any) -> bool:
    def values(record: Any) -> list[str]:
        return sorted(v["Value"] if isinstance(v, dict) else v for v in record.records or ())

    same_ttl = str(one.ttl) == str(other.ttl)
    return same_ttl and values(one) == values(other) and one.alias_target == other.alias_target
