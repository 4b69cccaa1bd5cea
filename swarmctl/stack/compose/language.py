"""The compose language of ``docker stack``: each key, what it holds, and since which version.

The facts are those of the file formats 3.0 to 3.13, the ones that ``docker stack`` knows
(docker/cli 28.2.2); the Compose Specification of ``docker compose`` is another language. For the
notation see :mod:`swarmctl.stack.compose.rules`.
"""

from __future__ import annotations

from swarmctl.reading import quantities
from swarmctl.stack.compose import notations
from swarmctl.stack.compose.rules import ANYTHING, Type, a, list_of, map_of, named, since

NEWEST = 13
SOURCE = "docker/cli v28.2.2, compose file versions 3.0 to 3.13"

# --- single values --------------------------------------------------------------------------------

TEXT = a(Type.TEXT)
NUMBER = a(Type.NUMBER)
WHOLE = a(Type.WHOLE)
FLAG = a(Type.FLAG)
EMPTY = a(Type.EMPTY)
COUNT = a(Type.WHOLE, read=notations.check_not_negative, late=True)
BYTES = a(Type.WHOLE, read=notations.check_not_negative)
MODE = a(Type.NUMBER, read=notations.check_not_negative, late=True)
DURATION = a(Type.TEXT, read=quantities.duration)
SIZE = a(Type.TEXT, read=quantities.size, late=True)
PRINTED = a(Type.TEXT, is_printed=True) | NUMBER
PORT = a(Type.TEXT, read=notations.ports) | a(Type.NUMBER, read=notations.port_number)
ORDER = a(Type.TEXT, "start-first", "stop-first")

# --- lists and maps that several keys hold --------------------------------------------------------

NAME = "[a-zA-Z0-9._-]+"
TEXTS = list_of(TEXT, unique_until=NEWEST)
TEXT_OR_TEXTS = TEXT | TEXTS
COMMAND = a(Type.TEXT, read=notations.check_words, late=True) | list_of(TEXT)
PAIRS = named(r"(?s).*[^\n].*", PRINTED | EMPTY) | TEXTS
OPTIONS = named(".+", PRINTED, ANYTHING)
EXTERNAL = FLAG | map_of({"name": TEXT})
LOOSE_EXTERNAL = FLAG | map_of({"name": TEXT}, extra_since=0)

# --- a service ------------------------------------------------------------------------------------

FILE_REFERENCE = TEXT | map_of(
    {"source": TEXT, "target": TEXT, "uid": TEXT, "gid": TEXT, "mode": MODE}, extra_since=0
)

BUILD = map_of(
    {
        "context": TEXT,
        "dockerfile": TEXT,
        "args": PAIRS,
        "cache_from": since(2, TEXTS),
        "labels": since(3, PAIRS),
        "network": since(4, TEXT),
        "target": since(4, TEXT),
        "shm_size": since(5, WHOLE | TEXT),
        "extra_hosts": since(9, PAIRS),
    },
    extra_since=11,
)

LONG_PORT = map_of({"mode": TEXT, "target": COUNT, "published": COUNT, "protocol": TEXT})

SHORT_VOLUME = a(Type.TEXT, read=notations.volume, late=True)
LONG_VOLUME = map_of(
    {
        "type": TEXT,
        "source": TEXT,
        "target": TEXT,
        "read_only": FLAG,
        "consistency": TEXT,
        "bind": map_of({"propagation": TEXT}, extra_since=0),
        "volume": map_of({"nocopy": FLAG}, extra_since=0),
        "tmpfs": since(6, map_of({"size": BYTES}, extra_since=0)),
    },
    required=("type",),
)

ATTACHMENT = EMPTY | map_of(
    {
        "aliases": TEXTS,
        "ipv4_address": TEXT,
        "ipv6_address": TEXT,
        "driver_opts": since(13, OPTIONS),
    }
)

ULIMIT_VALUE = a(Type.WHOLE, read=notations.check_written_whole, late=True)
_SOFT_AND_HARD = {"soft": ULIMIT_VALUE, "hard": ULIMIT_VALUE}
ULIMITS = named(
    "[a-z]+",
    ULIMIT_VALUE | map_of(_SOFT_AND_HARD, required=("soft", "hard")),
    ULIMIT_VALUE | map_of(_SOFT_AND_HARD, required=("soft", "hard"), extra_since=0),
)

HEALTHCHECK = map_of(
    {
        "test": TEXT | list_of(TEXT),
        "interval": DURATION,
        "timeout": DURATION,
        "retries": MODE,
        "start_period": since(4, DURATION),
        "start_interval": since(12, DURATION),
        "disable": FLAG,
    }
)

_UPDATE = {
    "parallelism": COUNT,
    "delay": DURATION,
    "failure_action": TEXT,
    "monitor": DURATION,
    "max_failure_ratio": NUMBER,
}

GENERIC_RESOURCES = list_of(
    map_of({"discrete_resource_spec": map_of({"kind": TEXT, "value": NUMBER})})
)

DEPLOY = EMPTY | map_of(
    {
        "mode": TEXT,
        "endpoint_mode": since(2, TEXT),
        "replicas": COUNT,
        "labels": PAIRS,
        "update_config": map_of({**_UPDATE, "order": since(4, ORDER)}),
        "rollback_config": since(7, map_of({**_UPDATE, "order": ORDER})),
        "resources": map_of(
            {
                "limits": map_of({"cpus": TEXT, "memory": SIZE, "pids": since(9, WHOLE)}),
                "reservations": map_of(
                    {
                        "cpus": TEXT,
                        "memory": SIZE,
                        "generic_resources": since(5, GENERIC_RESOURCES),
                    }
                ),
            }
        ),
        "restart_policy": map_of(
            {"condition": TEXT, "delay": DURATION, "max_attempts": COUNT, "window": DURATION}
        ),
        "placement": map_of(
            {
                "constraints": list_of(TEXT),
                "preferences": since(3, list_of(map_of({"spread": TEXT}))),
                "max_replicas_per_node": since(8, COUNT),
            }
        ),
    }
)

SERVICE = map_of(
    {
        "build": TEXT | BUILD,
        "cap_add": TEXTS,
        "cap_drop": TEXTS,
        "cgroup_parent": TEXT,
        "cgroupns_mode": since(9, TEXT),
        "command": COMMAND,
        "configs": since(3, list_of(FILE_REFERENCE)),
        "container_name": TEXT,
        "credential_spec": since(
            3, map_of({"file": TEXT, "registry": TEXT, "config": since(8, TEXT)})
        ),
        "depends_on": TEXTS,
        "deploy": DEPLOY,
        "devices": TEXTS,
        "dns": TEXT_OR_TEXTS,
        "dns_search": TEXT_OR_TEXTS,
        "domainname": TEXT,
        "entrypoint": COMMAND,
        "env_file": TEXT_OR_TEXTS,
        "environment": PAIRS,
        "expose": list_of(PRINTED, unique_until=NEWEST),
        "external_links": TEXTS,
        "extra_hosts": PAIRS,
        "healthcheck": HEALTHCHECK,
        "hostname": TEXT,
        "image": TEXT,
        "init": since(7, FLAG),
        "ipc": TEXT,
        "isolation": since(5, TEXT),
        "labels": PAIRS,
        "links": TEXTS,
        "logging": map_of({"driver": TEXT, "options": named(".+", PRINTED | EMPTY, ANYTHING)}),
        "mac_address": TEXT,
        "network_mode": TEXT,
        "networks": TEXTS | named(NAME, ATTACHMENT),
        "oom_score_adj": since(13, WHOLE),
        "pid": TEXT | EMPTY,
        "ports": list_of(PORT | since(2, LONG_PORT), unique_until=NEWEST),
        "privileged": FLAG,
        "read_only": FLAG,
        "restart": TEXT,
        "secrets": since(1, list_of(FILE_REFERENCE)),
        "security_opt": TEXTS,
        "shm_size": TEXT | a(Type.NUMBER, read=notations.refuse_number, late=True),
        "stdin_open": FLAG,
        "stop_grace_period": DURATION,
        "stop_signal": TEXT,
        "sysctls": PAIRS,
        "tmpfs": TEXT_OR_TEXTS,
        "tty": FLAG,
        "ulimits": ULIMITS,
        "user": TEXT,
        "userns_mode": TEXT,
        "volumes": list_of(SHORT_VOLUME | since(2, LONG_VOLUME), unique_until=1),
        "working_dir": TEXT,
    },
    extensions_since=7,
)

# --- the top level --------------------------------------------------------------------------------

NETWORK = EMPTY | map_of(
    {
        "name": since(5, TEXT),
        "driver": TEXT,
        "driver_opts": OPTIONS,
        "ipam": map_of({"driver": TEXT, "config": list_of(map_of({"subnet": TEXT}))}),
        "external": EXTERNAL,
        "internal": FLAG,
        "attachable": since(2, FLAG),
        "labels": PAIRS,
    },
    extensions_since=7,
)
# Docker's schema overlooks a name with other characters, its decoder wants a map all the same.
ODDLY_NAMED_NETWORK = EMPTY | map_of({}, extra_since=0)

_TOPOLOGIES = list_of(map_of({"segments": PAIRS}, extra_since=0))
CLUSTER_VOLUME = map_of(
    {
        "group": TEXT,
        "availability": TEXT,
        "access_mode": map_of(
            {
                "scope": TEXT,
                "sharing": TEXT,
                "block_volume": map_of({}, extra_since=0),
                "mount_volume": map_of(
                    {"fs_type": TEXT, "mount_flags": list_of(TEXT)}, extra_since=0
                ),
            },
            extra_since=0,
        ),
        "accessibility_requirements": map_of(
            {"requisite": _TOPOLOGIES, "preferred": _TOPOLOGIES}, extra_since=0
        ),
        "capacity_range": map_of({"required_bytes": SIZE, "limit_bytes": SIZE}, extra_since=0),
    },
    extra_since=0,
)
VOLUME = EMPTY | map_of(
    {
        "name": since(4, TEXT),
        "driver": TEXT,
        "driver_opts": OPTIONS,
        "external": EXTERNAL,
        "labels": PAIRS,
        "x-cluster-spec": since(7, CLUSTER_VOLUME),  # the schemas say 10, the decoder reads it
    },
    extensions_since=7,
)

_FILE = {
    "name": since(5, TEXT),
    "file": TEXT,
    "external": LOOSE_EXTERNAL,
    "labels": PAIRS,
    "template_driver": since(8, TEXT),
}
CONFIG = map_of(_FILE, extensions_since=7)
SECRET = map_of(
    {**_FILE, "driver": since(8, TEXT), "driver_opts": since(8, OPTIONS)}, extensions_since=7
)

FILE = map_of(
    {
        "version": TEXT,
        "services": named(NAME, SERVICE),
        "networks": named(NAME, NETWORK, ODDLY_NAMED_NETWORK),
        "volumes": named(NAME, VOLUME),
        "secrets": since(1, named(NAME, SECRET)),
        "configs": since(3, named(NAME, CONFIG)),
    },
    extensions_since=4,
)
