"""partition: cut the node off from others by packet filters on the node itself.

Every packet from and to the others' addresses is dropped before connection tracking, so open
connections break too, and so does traffic of containers and overlay networks, which uses the nodes'
addresses. SSH (TCP port 22) passes both ways, so that the fault can be undone early.
"""

from __future__ import annotations

from swarmctl.chaos.fault.kind import Effect, Kind
from swarmctl.chaos.fault.node_fault import NodeFault
from swarmctl.chaos.fault.node_script import NodeScript
from swarmctl.chaos.fault.registry import fault

# A table for this run; nftables allows no hyphens in names.
_TABLE = 'table="chaos_$(printf %s "$run" | tr -c a-zA-Z0-9 _)"\n'

# -350: after defragmentation (-400), before raw (-300) and every chain that may accept.
# Postrouting sees what the host sends and what it forwards for containers, with final addresses.
_RULES = f"""\
{_TABLE}set_of() {{ printf '%s' "$*" | sed 's/ /, /g'; }}
rules() {{
  printf 'table inet %s {{\\n' "$table"
  for side in 'prerouting saddr' 'postrouting daddr'; do
    printf 'chain %s {{\\n' "${{side% *}}"
    printf 'type filter hook %s priority -350; policy accept;\\n' "${{side% *}}"
    printf 'tcp dport 22 accept\\ntcp sport 22 accept\\n'
    [ -z "$peers" ] || printf 'ip %s {{ %s }} drop\\n' "${{side#* }}" "$(set_of "$peers")"
    [ -z "$peers6" ] || printf 'ip6 %s {{ %s }} drop\\n' "${{side#* }}" "$(set_of "$peers6")"
    printf '}}\\n'
  done
  printf '}}\\n'
}}
"""


@fault(
    Kind(
        "partition",
        summary="drops all packets but SSH from and to other nodes (--from managers, workers, all)",
        undo="remove the packet filters",
        effect=Effect.DOWN,
        past_tense="was cut off",
        option_names=("sever",),
        keeps_running=True,
        impairs_network=True,
        # The managers still get its heartbeats.
        stays_ready=lambda options: options.sever == "workers",
    )
)
class Partition(NodeFault):
    """A network partition."""

    script = NodeScript(
        action="cut {node} off from {sever} (nftables; SSH passes); its containers keep running",
        check=f"""\
if ! command -v nft >/dev/null; then
  echo 'nft is not installed: install the package nftables'
else
  {_RULES}
  rules | nft --check --file - 2>/dev/null || echo 'its kernel does not accept the nftables rules'
fi
""",
        start=f"{_RULES}rules | nft --file -\n",
        in_effect=f'{_TABLE}nft list table inet "$table" >/dev/null 2>&1\n',
        undo=f'{_TABLE}nft delete table inet "$table" 2>/dev/null || :\n',
        remains="""\
if nft list table inet "$table" >/dev/null 2>&1; then echo "table $table remains"; fi
""",
        effect_mark=("unreachable", "{node} is cut off from {sever}"),
        needs_peers=True,
    )
