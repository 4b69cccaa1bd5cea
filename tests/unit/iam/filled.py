"""The policies of docs/iam as an account gets them."""

from __future__ import annotations

from typing import Any

from tests.unit.ansible.filters import ROOT

FOLDER = ROOT / "docs" / "iam"


def policy(name: str, account: str, region: str, cluster: str) -> str:
    """A policy with its placeholders replaced."""
    text = (FOLDER / f"{name}.json").read_text()
    for word, value in {
        "ACCOUNT": account,
        "REGION": region,
        "CLUSTER": cluster,
        "LOAD-BALANCER": cluster.replace("_", "-"),
        "BACKUP-BUCKET": "backups",
    }.items():
        text = text.replace(word, value)
    return text


def make_user(iam: Any, name: str, region: str, cluster: str, *policies: str) -> dict[str, str]:
    """An IAM user with managed policies of these names, as the page says; its key."""
    account = iam.create_user(UserName=name)["User"]["Arn"].split(":")[4]
    for each in policies:
        document = policy(each, account, region, cluster)
        made = iam.create_policy(PolicyName=f"{name}_{each}", PolicyDocument=document)
        iam.attach_user_policy(UserName=name, PolicyArn=made["Policy"]["Arn"])
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }
