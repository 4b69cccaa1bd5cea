"""disk-full: fill the disk (the file system) of /var/lib/docker."""

from __future__ import annotations

from swarmctl.chaos.fault.kind import Effect, Kind
from swarmctl.chaos.fault.load_shell import LOAD_FUNCTION, LOAD_REMAINS, STOP_LOAD
from swarmctl.chaos.fault.node_fault import NodeFault
from swarmctl.chaos.fault.node_script import ACROSS_REBOOTS, NodeScript
from swarmctl.chaos.fault.registry import fault

_FILES = """\
file=/var/lib/docker/swarmctl-chaos-$run
forget=/etc/tmpfiles.d/swarmctl-chaos-$run.conf
"""
# In KiB, as df counts: blocks reserved for root are left out. At least 64 MiB stay free.
_SIZES = f"""\
{_FILES}
of() {{ df -Pk /var/lib/docker | awk -v column="$1" 'NR == 2 {{ print $column }}'; }}
used=$(of 3) free=$(of 4)
fill=$(((used + free) * level / 100 - used))
[ "$fill" -le "$((free - 65536))" ] || fill=$((free - 65536))
"""


@fault(
    Kind(
        "disk-full",
        summary="fills the disk of /var/lib/docker to --level per cent (95); 64 MiB stay free",
        undo="remove the file",
        effect=Effect.STAYS,
        past_tense="was short of disk space",
        option_names=("level",),
    )
)
class DiskFull(NodeFault):
    """A full disk."""

    script = NodeScript(
        action="fill the disk of /var/lib/docker on {node} to {level} %",
        check=f"""\
if [ ! -d /var/lib/docker ]; then
  echo 'there is no /var/lib/docker'
else
  {_SIZES}
  [ "$fill" -ge 1024 ] ||
    echo "the disk of /var/lib/docker is already $((used * 100 / (used + free))) % full"
fi
""",
        # A reboot ends the timer but keeps the file: systemd-tmpfiles removes it then.
        start=f"""\
{LOAD_FUNCTION}{_SIZES}
echo "$fill" >"$home/fill"
mkdir -p /etc/tmpfiles.d
echo "r! $file" >"$forget"
load "$fill" "$file" <<'END_OF_LOAD'
fallocate -l "$1K" "$2" || head -c "$1K" /dev/zero >"$2"
END_OF_LOAD
""",
        in_effect=f"""\
{_FILES}[ "$(stat -c %s "$file")" -ge "$(($(cat "$home/fill") * 1024))" ]
""",
        undo=f'{STOP_LOAD}{_FILES}rm -f -- "$file" "$forget"\n',
        remains=f'{LOAD_REMAINS}[ ! -e "$file" ] || echo "$file remains"\n',
        effect_mark=("pressed", "the disk of /var/lib/docker on {node} is {level} % full"),
        level=95,
        directory=ACROSS_REBOOTS,
    )
