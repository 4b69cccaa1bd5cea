"""What is asked for beside the stream: the same words as of the commands."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from swarmctl.discovery.as_json import as_json as catalogue_as_json
from swarmctl.discovery.catalogue import catalogue
from swarmctl.errors import SwarmctlError, UsageError
from swarmctl.prediction import Predictor
from swarmctl.prediction.each import each
from swarmctl.prediction.lost_nodes import lost_nodes
from swarmctl.prediction.predict import predict
from swarmctl.prediction.record import each_as_json, record
from swarmctl.swarm.model import Swarm
from swarmctl.swarm.overview import as_json, overview
from swarmctl.web.app import Ask, Query
from swarmctl.web.balancer import Balancer
from swarmctl.web.findings import Findings
from swarmctl.web.poller import Poller
from swarmctl.web.runs import one_run, run_list
from swarmctl.web.source import Source

# A reading that is asked for takes at most so long: then the last one is the answer.
FRESH_S = 3.0
# What is older is no answer.
STALE_S = 10.0


def answers(source: Source, poller: Poller, balancer: Balancer, runs: Path) -> Mapping[str, Ask]:
    """The answers by path; see :mod:`swarmctl.web.app`.

    Args:
        source: of predictions, which need more than the page.
        poller: of the page.
        balancer: of the services' URLs.
        runs: the directory of ``swarmctl chaos``.
    """

    findings = Findings(source.checks)

    def now() -> tuple[Swarm, str]:
        reading = poller.fresh(FRESH_S)
        if reading.swarm is None or reading.fault:
            raise SwarmctlError(reading.fault or "no manager has answered yet")
        if (age := time.time() - reading.at) > STALE_S:  # nobody had looked; now none answers
            raise SwarmctlError(f"no manager has answered for {age:.0f} s")
        return reading.swarm, reading.manager

    def swarm(_: Query) -> dict[str, Any]:
        found, manager = now()
        view = overview(found, source.machines_now())
        return as_json(view, cluster=source.cluster, manager=manager)

    def discovery(_: Query) -> dict[str, Any]:
        found = catalogue(source.with_ports(now()[0]))
        behind = balancer.ask(found.routes)
        body = catalogue_as_json(found, found.endpoints, behind.urls)
        return {**body, "targets": behind.health, "fault": behind.fault}

    def what_if(query: Query) -> dict[str, Any]:
        lose, zone = query.values.get("lose", []), query.first("az")
        if not lose and zone is None:
            raise UsageError("no node to lose: ask for ?lose=NODE or ?az=ZONE")
        found = source.whole()
        return asdict(record(predict(found, lost_nodes(found, lose, zone))))

    return {
        "/api/swarm": swarm,
        "/api/discovery": discovery,
        "/api/findings": lambda _: findings.ask(),
        "/api/predict": what_if,
        "/api/each": lambda _: each_as_json(each(Predictor(source.whole()))),
        "/api/runs": lambda _: run_list(runs),
        "/api/runs/{run}": lambda query: one_run(runs, query.path["run"]),
    }
