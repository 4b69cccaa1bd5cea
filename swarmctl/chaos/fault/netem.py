"""Queues that delay or drop a node's outgoing packets to the other nodes.

A classful queue (``prio``) replaces the interface's root queue; only what goes to the other nodes'
addresses, overlay traffic included, passes through its fourth band, which ends in ``netem``. SSH
from elsewhere is not touched. https://man7.org/linux/man-pages/man8/tc-netem.8.html
"""

from __future__ import annotations

from swarmctl.chaos.fault.node_script import NodeScript

# ``device`` is the interface of the Swarm's traffic. 7a: is the number of our root queue.
_QUEUES = """\
# shellcheck disable=SC2086 # one word an address
set -- $peers
device=$(ip -o route get "$1" | sed -n 's/.* dev \\([^ ]*\\).*/\\1/p')
queues() {
  tc qdisc add dev "$1" root handle 7a: prio bands 4 || return
  # shellcheck disable=SC2086 # several words
  tc qdisc add dev "$1" parent 7a:4 handle 7b: netem $how limit 100000 || return
  for peer in $peers; do
    tc filter add dev "$1" parent 7a: protocol ip prio 1 u32 \\
      match ip dst "$peer/32" flowid 7a:4 || return
  done
}
"""


def netem_script(netem: str, *, action: str, effect: str, level: int = 100) -> NodeScript:
    """The script for one setting of netem.

    Args:
        netem: arguments of netem; shell variables are expanded.
        action: see :class:`NodeScript`.
        effect: text of the mark.
        level: see :class:`NodeScript`.
    """
    queues = f'how="{netem}"\n{_QUEUES}'
    return NodeScript(
        action=action,
        # Tried in a network namespace that ends with the command: the node is not changed.
        check=f"""\
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
  echo "its traffic on $device is already shaped: $(tc qdisc show dev "$device" root)"
fi
""",
        start=f'{queues}queues "$device"\n',
        in_effect="tc qdisc show | grep -q '^qdisc netem 7b: '\n",
        undo="""\
tc qdisc show | sed -n 's/^qdisc prio 7a: dev \\([^ ]*\\) root.*/\\1/p' | while read -r device; do
  tc qdisc del dev "$device" root
done
""",
        remains="if tc qdisc show | grep -q '^qdisc prio 7a: '; then echo 'queue remains'; fi\n",
        effect_mark=("pressed", effect),
        level=level,
        needs_peers=True,
    )
