"""Shell that the faults of Docker Engine share."""

from __future__ import annotations

MAIN_PID = "pid=$(systemctl show --property=MainPID --value docker.service)\n"

CHECK_RUNS = """\
systemctl is-active --quiet docker.service || echo 'docker.service is not active'
"""

# The socket first: systemd refuses to start a socket whose service already runs. A unit that was
# killed too often is "failed", and starts only after reset-failed.
START = """\
systemctl reset-failed docker.service 2>/dev/null || :
systemctl is-active --quiet docker.service || systemctl start docker.socket 2>/dev/null || :
systemctl start docker.service || :
"""

REMAINS = """\
systemctl is-active --quiet docker.service || { echo 'docker.service is not active'; return; }
timeout 10 docker version >/dev/null 2>&1 || echo 'the Engine does not answer'
"""
