"""The page of ``swarmctl web`` over a large Swarm that is simulated, with five viewers.

The server is a process of its own. It reads the Engine's JSON as from a manager, so what parsing
costs is measured, too; four viewers only read the stream, one is Chromium.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import requests
from rich.table import Table

from bench.page_server import NODES, REPLICAS, SERVICES
from bench.support import ROOT

VIEWERS = 5
SECONDS = 20.0

# In the page: when the first task was drawn, and how many frames there were since a moment.
_WATCH = """
new MutationObserver((_, watching) => {
  if (!document.querySelector('svg.swarm .task')) return;
  watching.disconnect();
  requestAnimationFrame(() => { window.drawn = performance.now(); });
}).observe(document, {childList: true, subtree: true});
window.frames_s = seconds => new Promise(done => {
  let count = 0;
  const begin = performance.now();
  const next = () => {
    count += 1;
    const passed = (performance.now() - begin) / 1000;
    if (passed < seconds) requestAnimationFrame(next); else done(count / passed);
  };
  requestAnimationFrame(next);
});
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured.

    Attributes:
        mib: resident memory of the server at the end, in MiB.
        core: its share of a core, over :data:`SECONDS`.
        paint_s: until the first task was drawn, from the begin of the navigation.
        frames: of the page, per second.
        load: of the machine meanwhile: processes that run or want to, per core.
    """

    mib: float
    core: float
    paint_s: float
    frames: float
    load: float


def measure(note: Callable[[str], None]) -> Figures:
    """Measure once; takes half a minute."""
    from playwright.sync_api import sync_playwright

    from tests.browser.support import launched

    note(f"page: {NODES} nodes, {SERVICES * REPLICAS} tasks, {VIEWERS} viewers")
    with ExitStack() as ends:
        browser = ends.enter_context(launched(ends.enter_context(sync_playwright())))
        process, url = ends.enter_context(_server())
        for _ in range(VIEWERS - 1):
            ends.enter_context(_reader(url))
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        page.add_init_script(_WATCH)
        page.goto(url)
        page.wait_for_function("() => window.drawn")
        before, begin = _cpu_s(process.pid), time.monotonic()
        frames = page.evaluate("seconds => window.frames_s(seconds)", SECONDS)
        core = (_cpu_s(process.pid) - before) / (time.monotonic() - begin)
        return Figures(
            mib=_resident_mib(process.pid),
            core=core,
            paint_s=page.evaluate("window.drawn") / 1000,
            frames=frames,
            load=os.getloadavg()[0] / (os.cpu_count() or 1),
        )


def as_json(found: Figures) -> dict[str, float]:
    """For the file of figures."""
    return asdict(found)


def table(found: Figures) -> Table:
    """The figures beside what is wanted."""
    view = Table("figure", "measured", "wanted", title="page")
    view.add_row("server's memory", f"{found.mib:.0f} MiB", "≤ 80 MiB")
    view.add_row("server, of a core", f"{100 * found.core:.1f} %", "≤ 5 %")
    view.add_row("first tasks drawn", f"{found.paint_s:.2f} s", "≤ 1 s")
    view.add_row("frames a second", f"{found.frames:.0f}", "≥ 30")
    view.add_row("load of the machine, per core", f"{found.load:.1f}", "")
    return view


@contextmanager
def _server() -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.page_server"],
        cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.stdin.close()  # the sign to end
        process.wait(20)


@contextmanager
def _reader(url: str) -> Iterator[None]:
    """A viewer that reads, and draws nothing."""
    answer = requests.get(f"{url}api/events", stream=True, timeout=60)

    over = threading.Event()

    def read() -> None:
        for _ in answer.iter_content(None):
            if over.is_set():
                answer.close()
                return

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()  # it hears something each second
        thread.join(10)


def _cpu_s(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mib(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024
