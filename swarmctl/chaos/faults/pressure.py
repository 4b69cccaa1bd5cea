"""A node that is short of processor time, memory or disk."""

from __future__ import annotations

from swarmctl.chaos.faults.recipe import LASTING, Recipe

# What presses is a unit of its own, with its script in a file (systemd would expand "$1" in an
# argument). It ends by itself, and is the first the kernel kills when memory runs out: neither sshd
# nor the Engine is to go before it.
_LOAD = """\
load() {
  cat >"$home/load"
  systemd-run --quiet --collect --unit="$unit-load" --property=RuntimeMaxSec="$ttl" \\
    --property=OOMScoreAdjust=1000 --property=MemorySwapMax=0 --property=UMask=0077 \\
    /bin/sh "$home/load" "$@"
}
"""
_LOADED = 'systemctl is-active --quiet "$unit-load.service"'
_UNLOAD = """\
systemctl stop "$unit-load.service" 2>/dev/null || :
systemctl reset-failed "$unit-load.service" 2>/dev/null || :
"""
_UNLOADED = f"if {_LOADED}; then echo 'the load goes on'; fi\n"

# Below 100 %, every processor is busy for a part of each 200 ms.
CPU = Recipe(
    does="keep {level} % of the processors of {node} busy",
    undone="end that",
    possible=":\n",
    begin=f"""\
{_LOAD}
load "$level" <<'END_OF_LOAD'
busy=$(printf 0.%03d $(($1 * 2)))
idle=$(printf 0.%03d $((200 - $1 * 2)))
burn() {{
  [ "$1" -lt 100 ] || while :; do :; done
  while :; do
    timeout "$busy" sh -c 'while :; do :; done'
    sleep "$idle"
  done
}}
for _ in $(seq "$(nproc)"); do burn "$1" & done
wait
END_OF_LOAD
""",
    holds=f"{_LOADED}\n",
    undo=_UNLOAD,
    healed=_UNLOADED,
    held=("pressed", "{level} % of the processors of {node} are kept busy"),
)

# In KiB. At least 128 MiB stay available, whatever the level: sshd must be able to answer.
_MEMORY = """\
of() { awk -v name="$1:" '$1 == name { print $2 }' /proc/meminfo; }
total=$(of MemTotal) left=$(of MemAvailable)
keep=$((total * (100 - level) / 100))
[ "$keep" -ge 131072 ] || keep=131072
fill=$((left - keep))
"""

MEMORY = Recipe(
    does="fill the memory of {node} to {level} %",
    undone="free it",
    possible=f"""\
{_MEMORY}
[ "$fill" -ge 1024 ] || echo "$((100 - left * 100 / total)) % of its memory are in use already"
""",
    # dd reads one block as large as that, and then waits for somebody to take it.
    begin=f"""\
{_LOAD}{_MEMORY}
echo "$fill" >"$home/fill"
load "$fill" "$ttl" "$home/pid" <<'END_OF_LOAD'
sh -c 'echo $$ >"$1"; exec dd if=/dev/zero bs="$2" count=1 iflag=fullblock' sh "$3" "$1K" |
  sleep "$2"
END_OF_LOAD
""",
    holds="""\
rss=$(awk '$1 == "VmRSS:" { print $2 }' "/proc/$(cat "$home/pid")/status")
[ "$((rss * 10))" -ge "$(($(cat "$home/fill") * 9))" ]
""",
    undo=_UNLOAD,
    healed=_UNLOADED,
    held=("pressed", "the memory of {node} is full to {level} %"),
    level=90,
)

# In KiB, as df counts: what only root may use is not there. At least 64 MiB stay.
_DISK = """\
file=/var/lib/docker/swarmctl-chaos-$run
forget=/etc/tmpfiles.d/swarmctl-chaos-$run.conf
"""
_DISK_FILL = f"""\
{_DISK}
of() {{ df -Pk /var/lib/docker | awk -v column="$1" 'NR == 2 {{ print $column }}'; }}
used=$(of 3) free=$(of 4)
fill=$(((used + free) * level / 100 - used))
[ "$fill" -le "$((free - 65536))" ] || fill=$((free - 65536))
"""

DISK_FULL = Recipe(
    does="fill the file system of /var/lib/docker on {node} to {level} %",
    undone="remove the file",
    possible=f"""\
if [ ! -d /var/lib/docker ]; then
  echo 'there is no /var/lib/docker'
else
  {_DISK_FILL}
  [ "$fill" -ge 1024 ] ||
    echo "the disk of /var/lib/docker is full to $((used * 100 / (used + free))) % already"
fi
""",
    # A reboot ends the timer but not the file: systemd-tmpfiles removes it then.
    begin=f"""\
{_LOAD}{_DISK_FILL}
echo "$fill" >"$home/fill"
mkdir -p /etc/tmpfiles.d
echo "r! $file" >"$forget"
load "$fill" "$file" <<'END_OF_LOAD'
fallocate -l "$1K" "$2" || head -c "$1K" /dev/zero >"$2"
END_OF_LOAD
""",
    holds=f"""\
{_DISK}[ "$(stat -c %s "$file")" -ge "$(($(cat "$home/fill") * 1024))" ]
""",
    undo=f'{_UNLOAD}{_DISK}rm -f -- "$file" "$forget"\n',
    healed=f'{_UNLOADED}[ ! -e "$file" ] || echo "$file stays"\n',
    held=("pressed", "the file system of /var/lib/docker on {node} is full to {level} %"),
    level=95,
    keep=LASTING,
)
