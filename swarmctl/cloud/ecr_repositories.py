"""The repositories of a cluster in ECR: made before images are pushed, removed with the cluster.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/Repositories.html
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from swarmctl.cloud.ecr import Ecr, EcrError
from swarmctl.cloud.instances import CLUSTER_TAG

IMMUTABLE, MUTABLE = "IMMUTABLE", "MUTABLE"
_UNTAGGED_DAYS = 14
# Only what no tag names: a rule about age or number would remove images that services use.
_LIFECYCLE = {
    "rules": [
        {
            "rulePriority": 1,
            "description": f"Remove images without a tag after {_UNTAGGED_DAYS} days",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": _UNTAGGED_DAYS,
            },
            "action": {"type": "expire"},
        }
    ]
}
_PULL = (
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
)


def ensure_repositories(
    ecr: Ecr,
    cluster: str,
    names: Iterable[str],
    *,
    mutable: Collection[str] = (),
    pull: Collection[str] = (),
    dry_run: bool = False,
) -> list[str]:
    """Make repositories unless they are as they should be; returns the changes.

    Args:
        ecr: the API.
        cluster: for the tag.
        names: of the repositories.
        mutable: those among them whose tags may move to another image; they keep images without a
            tag, too, because a service may name one by its digest.
        pull: principals of other accounts that may pull; ARNs.
        dry_run: only say what would be changed.

    Raises:
        EcrError: a call failed, or a repository of that name is not this cluster's.
    """
    there = {r["repositoryName"]: r for r in ecr.described()}
    return [
        line
        for name in sorted(set(names))
        for line in _ensure(
            ecr,
            cluster,
            name,
            there.get(name),
            MUTABLE if name in mutable else IMMUTABLE,
            sorted(pull),
            dry_run,
        )
    ]


def _ensure(
    ecr: Ecr,
    cluster: str,
    name: str,
    there: dict[str, Any] | None,
    mutability: str,
    pull: list[str],
    dry_run: bool,
) -> Iterator[str]:
    scan = {"scanOnPush": True}
    if there is None:
        yield f"+ repository {name}"
        if not dry_run:
            ecr.call(
                "create_repository",
                repositoryName=name,
                imageTagMutability=mutability,
                imageScanningConfiguration=scan,
                tags=[{"Key": CLUSTER_TAG, "Value": cluster}],
            )
    elif _owner(ecr, there) != cluster:
        raise EcrError(
            f"the repository {name} exists and has no tag {CLUSTER_TAG}={cluster}",
            "tag it if it is this cluster's, or choose another name for the stack or the image",
        )
    else:
        if there.get("imageTagMutability") != mutability:
            yield f"~ repository {name}: tags {mutability.lower()}"
            if not dry_run:
                ecr.call(
                    "put_image_tag_mutability", repositoryName=name, imageTagMutability=mutability
                )
        if not (there.get("imageScanningConfiguration") or {}).get("scanOnPush"):
            yield f"~ repository {name}: scan on push"
            if not dry_run:
                ecr.call(
                    "put_image_scanning_configuration",
                    repositoryName=name,
                    imageScanningConfiguration=scan,
                )
    lifecycle = _LIFECYCLE if mutability == IMMUTABLE else None
    yield from _document(ecr, name, there, "lifecycle policy", lifecycle, dry_run)
    access = _pull_policy(pull) if pull else None
    yield from _document(ecr, name, there, "repository policy", access, dry_run)


# How a document is read, set and removed, and the name of its text.
_CALLS = {
    "lifecycle policy": (
        *("get_lifecycle_policy", "put_lifecycle_policy", "delete_lifecycle_policy"),
        "lifecyclePolicyText",
    ),
    "repository policy": (
        *("get_repository_policy", "set_repository_policy", "delete_repository_policy"),
        "policyText",
    ),
}


def _document(
    ecr: Ecr,
    name: str,
    there: dict[str, Any] | None,
    what: str,
    wanted: dict[str, Any] | None,
    dry_run: bool,
) -> Iterator[str]:
    """Set, replace or remove one of a repository's documents."""
    get, put, delete, text = _CALLS[what]
    found = None
    if there is not None:
        try:
            found = json.loads(ecr.call(get, repositoryName=name)[text])
        except EcrError as fault:
            if not fault.code.endswith("PolicyNotFound"):
                raise
    if found == wanted:
        return
    if there is not None:  # a new repository's line says it all
        yield f"{'-' if wanted is None else '~'} repository {name}: {what}"
    if dry_run:
        return
    if wanted is None:
        ecr.call(delete, repositoryName=name)
    else:
        ecr.call(put, repositoryName=name, **{text: json.dumps(wanted)})


def _pull_policy(principals: list[str]) -> dict[str, Any]:
    statement = {
        "Sid": "Pull",
        "Effect": "Allow",
        "Principal": {"AWS": principals},
        "Action": list(_PULL),
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _owner(ecr: Ecr, repository: dict[str, Any]) -> str:
    tags = ecr.call("list_tags_for_resource", resourceArn=repository["repositoryArn"])["tags"]
    return next((str(t["Value"]) for t in tags if t["Key"] == CLUSTER_TAG), "")


def owned(ecr: Ecr, cluster: str) -> list[str]:
    """The names of the cluster's repositories: a name that begins like theirs is not enough.

    Raises:
        EcrError: a call failed.
    """
    return sorted(r["repositoryName"] for r in ecr.described() if _owner(ecr, r) == cluster)


def remove_repositories(ecr: Ecr, cluster: str, *, dry_run: bool = False) -> list[str]:
    """Remove the cluster's repositories with their images; returns the changes.

    Raises:
        EcrError: a call failed.
    """
    names = owned(ecr, cluster)
    if not dry_run:
        for name in names:
            ecr.call("delete_repository", repositoryName=name, force=True)
    return [f"- repository {name}" for name in names]
