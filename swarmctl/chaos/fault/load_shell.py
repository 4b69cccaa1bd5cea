"""Shell that the faults cpu, memory and disk-full share: a load as a systemd unit."""

from __future__ import annotations

# The load is a systemd unit, with its script in a file (systemd would expand "$1" in an argument).
# It ends by itself, and the kernel kills it first if memory runs out: before sshd and the Engine.
LOAD_FUNCTION = """\
load() {
  cat >"$home/load"
  systemd-run --quiet --collect --unit="$unit-load" --property=RuntimeMaxSec="$ttl" \\
    --property=OOMScoreAdjust=1000 --property=MemorySwapMax=0 --property=UMask=0077 \\
    /bin/sh "$home/load" "$@"
}
"""
LOAD_RUNS = 'systemctl is-active --quiet "$unit-load.service"'
STOP_LOAD = """\
systemctl stop "$unit-load.service" 2>/dev/null || :
systemctl reset-failed "$unit-load.service" 2>/dev/null || :
"""
# A load that is gone leaves no unit: the journal tells why.
LOAD_WHY_ENDED = (
    'journalctl --quiet --no-pager -o cat -n 1 -u "$unit-load.service" 2>/dev/null || :\n'
)
LOAD_REMAINS = f"if {LOAD_RUNS}; then echo 'the load still runs'; fi\n"
