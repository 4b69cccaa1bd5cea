"""Packets from a node to the others that are late, or lost, on their way out.

A classful queue (``prio``) replaces the interface's root queue; only what goes to the other nodes'
addresses, overlay traffic included, is sent through its fourth band, where ``netem`` sits. SSH from
elsewhere is not touched. https://man7.org/linux/man-pages/man8/tc-netem.8.html
"""

from __future__ import annotations

from dataclasses import replace

from swarmctl.chaos.faults.recipe import Recipe

# The interface the Swarm's traffic leaves by. 7a: is our root queue's number, on no other one.
_QUEUES = """\
# shellcheck disable=SC2086 # addresses of their own
set -- $peers
device=$(ip -o route get "$1" | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p')
queues() {
  tc qdisc add dev "$1" root handle 7a: prio bands 4 || return
  # shellcheck disable=SC2086 # words of their own
  tc qdisc add dev "$1" parent 7a:4 handle 7b: netem $how limit 100000 || return
  for peer in $peers; do
    tc filter add dev "$1" parent 7a: protocol ip prio 1 u32 \\
      match ip dst "$peer/32" flowid 7a:4 || return
  done
}
"""


def _recipe(how: str) -> Recipe:
    """What both have in common; ``how`` is what netem is told."""
    queues = f'how="{how}"\n{_QUEUES}'
    return Recipe(
        does="",
        undone="remove the queue",
        # Tried in a network namespace of its own, which ends with the command: nothing is touched.
        possible=f"""\
{queues}
if ! command -v tc >/dev/null; then
  echo 'tc is not installed: install the package iproute2 (Amazon Linux: iproute-tc)'
elif [ -z "$device" ]; then
  echo "it has no route to $1"
elif ! unshare --net sh -c 'tc qdisc add dev lo root netem delay 1ms' 2>/dev/null; then
  echo 'its kernel has no sch_netem (Amazon Linux: package kernel-modules-extra;' \\
    'Ubuntu: linux-modules-extra of its kernel)'
elif ! unshare --net sh -c 'tc qdisc add dev lo root handle 7a: prio bands 4 &&
  tc filter add dev lo parent 7a: protocol ip u32 match ip dst 127.0.0.1/32 flowid 7a:4' \\
  2>/dev/null; then
  echo 'its kernel has no sch_prio or no cls_u32'
elif tc qdisc show dev "$device" root | grep -qv ' 0: '; then
  echo "its traffic on $device is shaped already: $(tc qdisc show dev "$device" root)"
fi
""",
        begin=f'{queues}queues "$device"\n',
        holds="tc qdisc show | grep -q '^qdisc netem 7b: '\n",
        undo="""\
tc qdisc show | sed -n 's/^qdisc prio 7a: dev \\([^ ]*\\) root.*/\\1/p' | while read -r device; do
  tc qdisc del dev "$device" root
done
""",
        healed="if tc qdisc show | grep -q '^qdisc prio 7a: '; then echo 'the queue stays'; fi\n",
        held=("", ""),
        peers=True,
    )


LATENCY = replace(
    _recipe("delay ${delay_ms}ms"),
    does="make packets from {node} to {sever} {delay_ms} ms late (tc netem)",
    held=("pressed", "packets from {node} to {sever} are {delay_ms} ms late"),
)
LOSS = replace(
    _recipe("loss ${level}%"),
    does="lose {level} % of the packets from {node} to {sever} (tc netem)",
    held=("pressed", "{level} % of the packets from {node} to {sever} are lost"),
    level=10,
)
