"""A stack of which a lost replica has one place to go."""

from __future__ import annotations

# Two replicas on three workers, one a node: when one dies, its replica has one place to go.
COMPOSE = """\
services:
  web:
    image: {image}
    deploy:
      replicas: 2
      endpoint_mode: dnsrr
      restart_policy: {{delay: 1s}}
      update_config: {{monitor: 2s}}
      placement:
        max_replicas_per_node: 1
        constraints: [node.role == worker, node.hostname != swarm_app_wkr4]
"""
