"""``swarmctl chaos predict``: where replicas end up when nodes are lost."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from swarmctl.cli import completion, console
from swarmctl.cli.options import ClusterOption, Format, HostOption, TableOrJson
from swarmctl.errors import UsageError

if TYPE_CHECKING:
    from swarmctl.swarm.model import Swarm

app = typer.Typer()

# JSON with more (service, node) pairs than this is not indented.
READABLE = 20_000


@app.command()
def predict(
    lose: Annotated[
        list[str] | None,
        typer.Option(
            "--lose",
            metavar="NODE,…",
            help="Nodes to lose at the same moment: full or short names (wkr2), or ids.",
            autocompletion=completion.nodes,
        ),
    ] = None,
    each: Annotated[
        bool, typer.Option("--each", help="Lose every node in turn, and rank them by risk.")
    ] = False,
    zone: Annotated[
        str | None,
        typer.Option(
            "--az",
            metavar="ZONE",
            help="All nodes of this zone (node label az) die.",
            autocompletion=completion.zones,
        ),
    ] = None,
    snapshot: Annotated[
        Path | None,
        typer.Option(
            "--snapshot",
            metavar="FILE",
            help="Read a file of `swarmctl snapshot` instead of the live Swarm.",
        ),
    ] = None,
    format_: TableOrJson = Format.TABLE,
    seed: Annotated[
        int,
        typer.Option(
            "--seed", metavar="N", help="Seed of the draw when there are too many outcomes to list."
        ),
    ] = 1,
    cluster: ClusterOption = None,
    host: HostOption = None,
) -> None:
    """Predict where every replica ends up when nodes die, and what cannot be placed and why.

    Nothing is touched. Swarm breaks ties at random, so there may be several outcomes.
    """
    if each and (lose or zone):
        raise UsageError("--each cannot be combined with --lose or --az")
    if not (each or lose or zone):
        raise UsageError("no node to lose: pass --lose NODE,…, --az ZONE or --each")
    found = _snapshot(snapshot, cluster, host)
    if each:
        _print_each(found, format_)
    else:
        _print_one(found, lose or [], zone, format_, seed)


def _snapshot(path: Path | None, cluster: str | None, host: str | None) -> Swarm:
    from swarmctl.swarm.parse import parse_swarm
    from swarmctl.swarm.snapshot import load_snapshot, take_snapshot

    if path is not None:
        return load_snapshot(path)
    from swarmctl.cluster import resolve
    from swarmctl.known_names import remember
    from swarmctl.swarm.observe.images import with_images

    target = resolve(cluster, host)
    with target.connect() as client:
        swarm = parse_swarm(take_snapshot(client))
    remember(target.cluster, swarm)
    return with_images(swarm, target.shell())


def _print_one(swarm: Swarm, lose: list[str], zone: str | None, format_: Format, seed: int) -> None:
    from swarmctl.prediction import Bounds
    from swarmctl.prediction.lost_nodes import lost_nodes
    from swarmctl.prediction.predict import predict as predict_loss
    from swarmctl.prediction.record import record

    nodes = lost_nodes(swarm, lose, zone)
    prediction = predict_loss(swarm, nodes, Bounds(seed=seed))
    if format_ is Format.JSON:
        _emit_outcomes(asdict(record(prediction)))
        return
    from swarmctl.cli.show.prediction import prediction_tables

    console.out().print(prediction_tables(prediction))


def _emit_outcomes(data: dict[str, Any]) -> None:
    pairs = sum(map(len, data["before"].values())) * len(data["outcomes"])
    if pairs <= READABLE:
        console.emit_json(data)
    else:  # one line: indenting takes longer than predicting
        console.emit(json.dumps(data, ensure_ascii=False))


def _print_each(swarm: Swarm, format_: Format) -> None:
    from swarmctl.prediction import Predictor
    from swarmctl.prediction.each import each

    risks = each(Predictor(swarm))
    if format_ is Format.JSON:
        from swarmctl.prediction.record import each_as_json

        console.emit_json(each_as_json(risks))
        return
    from swarmctl.cli.show.prediction import risk_table

    console.out().print(risk_table(risks))
