"""A node that is cut off from others by packet filters of our own on the node itself.

Every packet from and to the others' addresses is dropped, before connection tracking has a say, so
connections that are open die too; containers' and overlay traffic included, which goes between the
nodes' addresses. SSH (TCP port 22) passes both ways, or nobody could end it early.
"""

from __future__ import annotations

from swarmctl.chaos.faults.recipe import Recipe

# A table of the run's own: names may have no hyphens, and must begin with a letter.
_TABLE = 'table="chaos_$(printf %s "$run" | tr -c a-zA-Z0-9 _)"\n'

# -350: after fragments are put together (-400), before raw (-300) and everything that may accept.
# Postrouting sees what the host sends and what it forwards for containers; addresses are final.
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

PARTITION = Recipe(
    does="cut {node} off from {sever} (nftables; SSH passes); its containers run on",
    undone="remove the rules",
    possible=f"""\
if ! command -v nft >/dev/null; then
  echo 'nft is not installed: install the package nftables'
else
  {_RULES}
  rules | nft --check --file - 2>/dev/null || echo 'its kernel does not take the nftables rules'
fi
""",
    begin=f"{_RULES}rules | nft --file -\n",
    holds=f'{_TABLE}nft list table inet "$table" >/dev/null 2>&1\n',
    undo=f'{_TABLE}nft delete table inet "$table" 2>/dev/null || :\n',
    healed='if nft list table inet "$table" >/dev/null 2>&1; then echo "table $table stays"; fi\n',
    held=("unreachable", "{node} is cut off from {sever}"),
    peers=True,
)
