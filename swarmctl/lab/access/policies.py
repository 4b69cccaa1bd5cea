"""Whether IAM's policy documents allow an action. Pure.

Actions, resources and the string conditions are judged as on AWS; a statement with a condition of
another kind never allows anything here.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from functools import cache
from typing import Any

Context = Mapping[str, Sequence[str]]  # values by condition key, keys in lower case


class Verdict(Enum):
    """What policies say about an action, in the words that AWS puts into its error."""

    ALLOWED = ""
    DENIED = "with an explicit deny in an identity-based policy"
    NOT_ALLOWED = "because no identity-based policy allows the {action} action"


def judge(
    documents: Iterable[str], action: str, resources: Iterable[str], context: Context
) -> Verdict:
    """What the policies of a role say.

    Args:
        documents: JSON, as PutRolePolicy took them.
        action: for example ``ec2:DescribeInstances``.
        resources: ARNs, all of which must be allowed; ``*`` where the action has none.
        context: what conditions can ask for.
    """
    statements = [s for text in documents for s in _list(json.loads(text).get("Statement"))]
    worst = Verdict.ALLOWED
    for resource in resources:
        effects = {
            str(s.get("Effect")) for s in statements if _concerns(s, action, resource, context)
        }
        if "Deny" in effects:
            return Verdict.DENIED
        if "Allow" not in effects:
            worst = Verdict.NOT_ALLOWED
    return worst


def _concerns(statement: Any, action: str, resource: str, context: Context) -> bool:
    return (
        _listed(statement, "Action", action, fold=True)
        and _listed(statement, "Resource", resource)
        and all(
            _holds(operator, str(key), [str(v) for v in _list(values)], context)
            for operator, keys in (statement.get("Condition") or {}).items()
            for key, values in keys.items()
        )
    )


def _listed(statement: Any, element: str, value: str, *, fold: bool = False) -> bool:
    negated = f"Not{element}" in statement
    patterns = _list(statement.get(f"Not{element}" if negated else element))
    return any(_like(str(p), value, fold=fold) for p in patterns) is not negated


def _holds(operator: str, key: str, wanted: Sequence[str], context: Context) -> bool:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html"""
    quantifier, _, name = operator.rpartition(":")
    if_exists = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    negated = "Not" in name
    kind = name.replace("Not", "")
    if kind not in ("StringEquals", "StringLike", "StringEqualsIgnoreCase", "ArnEquals", "ArnLike"):
        return False
    values = context.get(key.lower())
    if values is None:
        return if_exists or negated or quantifier == "ForAllValues"
    fold = kind == "StringEqualsIgnoreCase"
    exact = kind.startswith("StringEquals")

    def matches(value: str) -> bool:
        found = any(
            (value.lower() == w.lower() if fold else value == w) if exact else _like(w, value)
            for w in wanted
        )
        return found is not negated

    return all(map(matches, values)) if quantifier == "ForAllValues" else any(map(matches, values))


def _like(pattern: str, value: str, *, fold: bool = False) -> bool:
    return _pattern(pattern, fold=fold).fullmatch(value) is not None


@cache
def _pattern(pattern: str, *, fold: bool) -> re.Pattern[str]:
    text = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(text, re.DOTALL | (re.IGNORECASE if fold else 0))


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
