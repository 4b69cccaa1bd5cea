"""Three managers and two workers in a lab of their own, with a database and a web server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from swarmctl.wait import wait_for
from tests.lab.helpers.own_lab import lab_of_its_own
from tests.lab.support import BIN, CLUSTER, NAME, Lab, Playbook, healthy

SIZES = ("-e", "managers=3", "-e", "workers=2")
COMPOSE = """\
services:
  web:
    image: httpd:2.4
    ports: [{target: 80, published: 80, mode: host}]
    healthcheck: {test: "bash -c '</dev/tcp/127.0.0.1/80'", interval: 1s, retries: 3}
    deploy:
      replicas: 2
      placement: {constraints: [node.role == worker], max_replicas_per_node: 1}
      restart_policy: {delay: 1s}
  files:
    image: httpd:2.4
    volumes: ["files:/data"]
    deploy: {placement: {constraints: [node.hostname == WORKER]}}
volumes: {files: {}}
""".replace("WORKER", f"{CLUSTER}_wkr1")
DATA = [
    {
        "name": "messages",
        "service": "three_tier_db",
        "dump": 'pg_dump --clean --if-exists -U "$POSTGRES_USER" "$POSTGRES_DB"',
        "load": 'psql -q -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" "$POSTGRES_DB"',
    },
    {
        "name": "files",
        "service": "shop_files",
        "volume": "shop_files",
        "pre": "echo closed > /data/state",
        "post": "echo open > /data/state",
    },
]


@dataclass(frozen=True)
class Backups:
    """Where the backups are, and the keys.

    Attributes:
        lab: the lab with the Swarm.
        store: where they are kept.
        key: a file with the private key.
        settings: a file with the settings.
        folder: for other files.
    """

    lab: Lab
    store: str
    key: Path
    settings: Path
    folder: Path

    @property
    def given(self) -> tuple[str, ...]:
        """The words for the settings and the private key."""
        return ("-e", f"@{self.settings}", *SIZES, "-e", f"backup_identity_file={self.key}")

    def playbook(self, name: str, *words: str) -> Playbook:
        """Run a playbook with the settings."""
        argv = (str(BIN / "ansible-playbook"), f"playbooks/{name}.yml", *self.given, *words)
        done = self.lab.run(*argv, timeout=2400)
        return Playbook(done.returncode, done.stdout + done.stderr)


@pytest.fixture(scope="module")
def backups(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backups]:
    """A Swarm with two stacks, a key pair and a bucket."""
    folder = tmp_path_factory.mktemp("backups")
    with lab_of_its_own(f"{NAME}-backup") as lab:
        kept = Backups(
            lab, "s3://backups/swarm_app", folder / "key", folder / "settings.json", folder
        )
        kept.settings.write_text("{}")
        kept.playbook("site").ok()
        (folder / "docker-compose.yml").write_text(COMPOSE)
        done = lab.swarmctl(
            "stack", "deploy", str(folder / "docker-compose.yml"), "--as=shop", timeout=900
        )
        assert done.returncode == 0, done.stderr
        lab.client("s3").create_bucket(
            Bucket="backups", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        made = lab.swarmctl("backup", "key", "-o", str(folder / "key"))
        settings = {
            "backup_to": kept.store,
            "backup_recipients": [made.stdout.strip()],
            "backup_volumes": DATA,
        }
        kept.settings.write_text(json.dumps(settings))
        wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=180, interval=1)
        yield kept
