"""Whether the nodes reach each other: gossip, management, and the overlay's data path.

Each node opens connections to all others, over SSH, at the same time. The overlay is tested from
the network namespace of ``ingress``, the network that every node is in: a connection to another
node's address there travels through VXLAN (4789/udp). Nothing listens at that address, so a refusal
is an answer. What needs UDP of its own (7946/udp) or ESP cannot be tested so; see ``groups``.

After an Engine was cut off, the overlay stays broken for a while, although every node is Ready, and
also between two that were never cut off. On its return the Engine tells the others that all of them
are dead. They contradict at once, but have forgotten by then which networks the others are in, and
learn that again only from exchanges with one node at random, every 30 s (moby#53141, in
libnetwork/networkdb/nodemgmt.go).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from swarmctl.errors import DeadlineExceededError, SwarmctlError
from swarmctl.network.finding import Finding, Severity
from swarmctl.reading.commands import on_node
from swarmctl.swarm.model import Swarm
from swarmctl.wait import CLOCK, Clock, wait_for

# How long the overlay network may take to answer everywhere after an Engine's return.
OVERLAY_S = 180.0

_TIMEOUT_S = 30.0
_AT_ONCE = 16

GOSSIP, MANAGEMENT, OVERLAY = "7946/tcp", "2377/tcp", "the overlay network (4789/udp)"

_ADDRESS = (
    "timeout 10 docker network inspect ingress --format "
    '\'{{range $name, $c := .Containers}}{{if eq $name "ingress-sbox"}}{{$c.IPv4Address}}'
    "{{end}}{{end}}'"
)
# One line for each test: its number, and whether there was an answer. Twenty at a time.
_TEST = """
tcp() {
  said=$(timeout 3 bash -c "exec 3<>/dev/tcp/$2/$3" 2>&1) && echo "$1 yes" || echo "$1 no"
}
overlay() {
  said=$(nsenter --net=/var/run/docker/netns/ingress_sbox \\
    timeout 3 bash -c "exec 3<>/dev/tcp/$2/9" 2>&1)
  case "$?$said" in 0*|*refused*) echo "$1 yes" ;; *) echo "$1 no" ;; esac
}
"""


class Shell(Protocol):
    """Runs a script on a node as root."""

    def run(self, node: str, script: str, timeout_s: float = ...) -> str: ...


@dataclass(frozen=True, slots=True)
class Path:
    """A way from one node to another: by which port, and whether there was an answer."""

    source: str
    target: str
    port: str
    answered: bool


@dataclass(frozen=True, slots=True)
class Paths:
    """All paths that were tested, and the nodes that could not be asked."""

    tested: tuple[Path, ...] = ()
    silent: Mapping[str, str] = field(default_factory=dict)  # node → why

    def broken(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """The sources that get no answer, by target and port."""
        broken: dict[tuple[str, str], list[str]] = defaultdict(list)
        for path in self.tested:
            if not path.answered:
                broken[path.target, path.port].append(path.source)
        return {key: tuple(sorted(sources)) for key, sources in sorted(broken.items())}

    def overlay_trouble(self) -> str:
        """Between which nodes the overlay network does not answer, or ``""``."""
        return "; ".join(
            f"{target} does not answer {', '.join(sources)}"
            for (target, port), sources in self.broken().items()
            if port == OVERLAY
        )

    def overlay_untested(self, swarm: Swarm) -> tuple[str, ...]:
        """The live nodes whose way through the overlay network could not be tested."""
        tested = {path.source for path in self.tested if path.port == OVERLAY}
        return tuple(sorted(n.hostname for n in swarm.nodes if n.live and n.hostname not in tested))


def settled_paths(
    shell: Shell,
    swarm: Swarm,
    awaiting: Callable[[str], None] = lambda _: None,
    clock: Clock = CLOCK,
) -> Paths:
    """The paths once the overlay network answers everywhere, or as they are after three minutes.

    Args:
        shell: runs scripts on the nodes.
        swarm: a snapshot.
        awaiting: told each time what does not answer yet.
        clock: replaced in tests.
    """
    found = [Paths()]

    def settled() -> tuple[bool | None, str]:
        found[0] = check_paths(shell, swarm)
        trouble = found[0].overlay_trouble()
        if trouble:
            awaiting(trouble)
        return (None if trouble else True), trouble

    with suppress(DeadlineExceededError):  # what does not answer is in the paths
        wait_for(
            "the overlay network to answer between all nodes",
            settled,
            timeout=OVERLAY_S,
            interval=2.0,
            clock=clock.now,
            pause=clock.pause,
        )
    return found[0]


def check_paths(shell: Shell, swarm: Swarm) -> Paths:
    """Test the paths between all live nodes.

    Args:
        shell: runs scripts on them.
        swarm: a snapshot.
    """
    live = {node.hostname: node for node in swarm.nodes if node.live}
    silent: dict[str, str] = {}

    def everywhere(scripts: Mapping[str, str]) -> dict[str, str]:
        def ask(node: str) -> str | None:
            try:
                return shell.run(node, scripts[node], _TIMEOUT_S)
            except SwarmctlError as fault:
                silent[node] = fault.message
                return None

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            answers = zip(scripts, pool.map(ask, scripts), strict=True)
            return {node: answer for node, answer in answers if answer is not None}

    found = everywhere(dict.fromkeys(live, _ADDRESS))
    overlay = {node: text.strip().partition("/")[0] for node, text in found.items() if text.strip()}
    tests: dict[str, list[tuple[str, str, str]]] = {}  # source → (target, port, command)
    for source in found:
        others = [node for name, node in live.items() if name != source]
        tests[source] = [
            *((n.hostname, GOSSIP, f"tcp {{}} {n.address} 7946") for n in others),
            *((n.hostname, MANAGEMENT, f"tcp {{}} {n.address} 2377")
              for n in others if n.role == "manager"),
            *((n.hostname, OVERLAY, f"overlay {{}} {overlay[n.hostname]}")
              for n in others if n.hostname in overlay and source in overlay),
        ]  # fmt: skip
    answers = everywhere({source: _script(planned) for source, planned in tests.items()})
    return Paths(tuple(_results(tests, answers)), silent)


def _script(planned: Sequence[tuple[str, str, str]]) -> str:
    lines = [_TEST]
    for number, (_, _, command) in enumerate(planned):
        lines.append(f"{command.format(number)} &")
        if number % 20 == 19:
            lines.append("wait")
    return "\n".join([*lines, "wait", ""])


def _results(
    tests: Mapping[str, Sequence[tuple[str, str, str]]], answers: Mapping[str, str]
) -> Iterator[Path]:
    for source, text in answers.items():
        said = dict(line.split() for line in text.splitlines() if len(line.split()) == 2)
        for number, (target, port, _) in enumerate(tests[source]):
            yield Path(source, target, port, said.get(str(number)) == "yes")


def path_findings(paths: Paths) -> Iterator[Finding]:
    """The paths without an answer, by their target; and what could not be tested."""
    for (target, port), sources in paths.broken().items():
        what = f"{port} does not answer {', '.join(sources)}"
        remedy = (
            f"is it open in the security groups, and in the firewalls of {target}? "
            f"does Docker run there: {on_node(target, 'sudo systemctl status docker')}"
        )
        if port == OVERLAY:
            remedy = (
                f"was a node away? then ask again in {OVERLAY_S / 60:g} minutes; if not: {remedy}"
            )
        yield Finding(target, what, remedy)
    for node, why in sorted(paths.silent.items()):
        remedy = f"{on_node(node, 'true')}: does the machine answer?"
        yield Finding(node, f"its paths could not be tested: {why}", remedy, Severity.WARNING)
