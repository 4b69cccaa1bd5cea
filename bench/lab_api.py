"""The lab's AWS API without machines, in a process of its own: every instance runs at once.

Usage: python -m bench.lab_api   (prints its URL; ends when its standard input ends)
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bench.support import ROOT

_KEY, _SECRET = "BENCHKEY", "no machine of this API exists"


@contextmanager
def lab_api() -> Iterator[dict[str, str]]:
    """A running API; yields the environment of its clients."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.lab_api"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        yield {
            **os.environ,
            "AWS_ENDPOINT_URL": url,
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET,
        }
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(20)


def _serve() -> None:
    from swarmctl.lab.api import Api
    from swarmctl.lab.host.computer import Computer

    changed = threading.Event()
    computer = Computer(console=lambda _: "", conflict=lambda _: "", no_room=lambda *_: "")
    api = Api(computer, changed)

    def run_instances() -> None:
        while changed.wait():
            changed.clear()
            for each in api.view().instances:
                if each.state == "pending":
                    api.move(each.id, "running", was="pending")

    threading.Thread(target=run_instances, daemon=True).start()
    sys.stdout.write(f"http://127.0.0.1:{api.serve(0, _KEY, _SECRET)}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    _serve()
