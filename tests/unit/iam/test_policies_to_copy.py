"""The operator's policies in docs/iam: what AWS would refuse, and what they should not allow."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from tests.unit.ansible.filters import ROOT

FOLDER = ROOT / "docs" / "iam"
FILES = sorted(FOLDER.glob("*.json"))
PAGE = (FOLDER / "README.md").read_text()
# For each action: the kinds of resources, and which keys for tags a condition can have for them.
# A log stream, whose ARN begins with its group's, counts as the group.
# From https://docs.aws.amazon.com/service-authorization/latest/reference/
REFERENCE: dict[str, dict[str, list[str]]] = json.loads(
    Path(__file__).with_name("reference.json").read_text()
)
PLACEHOLDERS = ("ACCOUNT", "REGION", "CLUSTER", "LOAD-BALANCER", "BACKUP-BUCKET")
MOST_CHARACTERS = 6144  # of a managed policy, without white space
MODELS = {"elasticloadbalancing": "elbv2"}  # botocore's names where they differ
NO_OPERATIONS = {"iam:PassRole", "s3:ListBucket"}


def statements(*files: Path) -> list[dict[str, Any]]:
    return [s for file in files or FILES for s in json.loads(file.read_text())["Statement"]]


def listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def keys_of(statement: dict[str, Any]) -> dict[str, Any]:
    """The condition keys of a statement with what they must be."""
    return {k: v for test in statement.get("Condition", {}).values() for k, v in test.items()}


def kinds(resource: str) -> str:
    """The kind of resource that an ARN names, as the reference calls it."""
    service, rest = resource.split(":")[2], resource.split(":", 5)[5]
    if service == "s3":
        return "object" if "/" in rest else "bucket"
    known = {
        kind for action, row in REFERENCE.items() if action.startswith(service) for kind in row
    }
    return max((k for k in known if rest.startswith(k)), key=len, default="*")


@cache
def operations(service: str) -> set[str]:
    model = botocore.session.get_session().get_service_model(service)
    return set(model.operation_names)


each_file = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
each_statement = pytest.mark.parametrize("statement", statements(), ids=lambda s: s["Sid"])


@each_file
def test_the_document_is_what_iam_takes(file: Path) -> None:
    document = json.loads(file.read_text())
    assert document.keys() == {"Version", "Statement"}
    assert document["Version"] == "2012-10-17"
    assert len(re.sub(r"\s", "", file.read_text())) <= MOST_CHARACTERS
    sids = [s["Sid"] for s in document["Statement"]]
    assert len(sids) == len(set(sids))


@each_statement
def test_a_statement_allows_named_actions_under_known_conditions(statement: dict[str, Any]) -> None:
    assert statement.keys() <= {"Sid", "Effect", "Action", "Resource", "Condition"}
    assert re.fullmatch("[A-Za-z0-9]+", statement["Sid"])
    assert statement["Effect"] == "Allow"
    assert statement.get("Condition", {}).keys() <= {"StringEquals", "StringEqualsIfExists"}
    for action in listed(statement["Action"]):
        service, name = action.split(":")
        assert name in operations(MODELS.get(service, service)) or action in NO_OPERATIONS, action
    arn = r"arn:aws:[a-z0-9]+:(REGION)?:(ACCOUNT)?:\S+"
    assert all(r == "*" or re.fullmatch(arn, r) for r in listed(statement["Resource"]))


@each_statement
def test_aws_knows_the_conditions_on_tags_for_these_resources(statement: dict[str, Any]) -> None:
    """Broken: a condition that is never fulfilled, and the right is missing on AWS alone."""
    asked = {key[4:].partition("/")[0] for key in keys_of(statement) if "Tag/" in key}
    named = {"*" if r == "*" else kinds(r) for r in listed(statement["Resource"])}
    for action in listed(statement["Action"]):
        row = REFERENCE[action]
        known = [row[kind] for kind in row if kind in named or "*" in (kind, *named)]
        assert any(asked <= {*keys} for keys in known), (action, row)


def test_each_action_that_names_resources_is_allowed_on_each_kind_it_needs() -> None:
    """Broken: RunInstances is allowed on instances, and not on their volumes."""
    allowed: dict[str, set[str]] = {}
    for statement in statements():
        for action in listed(statement["Action"]):
            allowed.setdefault(action, set()).update(
                "*" if r == "*" or r.endswith(":*/*") else kinds(r)
                for r in listed(statement["Resource"])
            )
    for action, row in REFERENCE.items():
        assert "*" in allowed[action] or row.keys() <= allowed[action], action


def limited(statement: dict[str, Any]) -> bool:
    """Whether it allows nothing outside of this cluster."""
    by_name = all(
        re.search("CLUSTER|LOAD-BALANCER|BACKUP-BUCKET", r) for r in listed(statement["Resource"])
    )
    return by_name or any("swarmctl:cluster" in key for key in keys_of(statement))


def test_the_page_says_of_each_statement_that_is_not_limited_to_the_cluster_why() -> None:
    table = PAGE.partition("## What is not limited")[2].partition("\n## ")[0]
    explained = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\|([^|]*)\|", table, re.M))))
    assert explained == {s["Sid"] for s in statements() if not limited(s)}


def test_reading_is_limited_to_the_region_where_it_is_not_to_resources() -> None:
    for statement in statements():
        wide = statement["Resource"] == "*" and statement["Sid"] != "DiscoveryZones"
        assert not wide or keys_of(statement)["aws:RequestedRegion"] == "REGION", statement["Sid"]


def test_only_the_listed_words_are_to_be_replaced() -> None:
    """Broken: a word in capitals that the page does not mention ends up in the account."""
    found = {
        word
        for s in statements()
        for text in [*listed(s["Resource"]), *map(str, keys_of(s).values())]
        for word in re.findall(r"\b[A-Z][A-Z-]+[A-Z]\b", text.replace("_", " "))
    }
    assert found == {*PLACEHOLDERS}
    assert all(f"`{word}`" in PAGE for word in PLACEHOLDERS)


def test_each_statement_of_the_options_is_in_the_page() -> None:
    table = PAGE.partition("`options.json` has")[2].partition("\n## ")[0]
    named = re.findall(r"^\| `(\w+)…?`", table, re.M)
    sids = [s["Sid"] for s in statements(FOLDER / "options.json")]
    assert all(any(sid.startswith(name) for name in named) for sid in sids)
    assert all(any(sid.startswith(name) for sid in sids) for name in named)
