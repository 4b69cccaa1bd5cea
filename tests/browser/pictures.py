"""``make screenshots``: the pictures of the page in the documentation, and a failover as it moves.

Usage: python -m tests.browser.pictures [DIRECTORY] [--url URL --seconds N]

Without a URL they show a simulated Swarm; with one, only the failover is recorded, from a page that
runs: begin a fault meanwhile.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.scene import failover, scene
from tests.browser.support import launched, opened, settled
from tests.unit.web.simulated import Simulated, served

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
WIDE, NARROW = {"width": 1280, "height": 560}, {"width": 380, "height": 760}
_COLOURS = 200
# In the recording: the Swarm as it was, and as it is with a node Down, for so long; then each step.
_STILL_S, _STEP_S = 1.5, 0.3


def main() -> None:
    """Draw what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, nargs="?", default=PICTURES)
    parser.add_argument("--url", help="of a running page: record this one")
    parser.add_argument("--seconds", type=float, default=40.0, help="to record it for")
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as tool, launched(tool) as browser:
        if options.url:
            with opened(browser, options.url, viewport=WIDE) as page:
                record(page, options.directory / "failover.gif", options.seconds)
        else:
            draw(browser, options.directory)


def draw(browser: Browser, directory: Path) -> None:
    """Every picture, of a simulated Swarm."""
    source = Simulated(scene())
    with tempfile.TemporaryDirectory() as runs, served(source, Path(runs)) as url:
        for name, view, scheme, size in (
            ("page-light", "nodes", "light", WIDE),
            ("page-dark", "nodes", "dark", WIDE),
            ("page-phone", "nodes", "dark", NARROW),
            ("page-services", "services", "light", WIDE),
        ):
            with opened(browser, f"{url}#{view}", viewport=size, color_scheme=scheme) as page:
                page.wait_for_selector("svg.swarm .task, tbody tr")
                settled(page)
                save(page, directory / f"{name}.png")
        with opened(browser, f"{url}#whatif", viewport=WIDE, color_scheme="light") as page:
            page.get_by_role("button", name="eu-central-1b", exact=True).click()
            page.wait_for_selector(".task.predicted")
            settled(page)
            save(page, directory / "page-whatif.png")
        with opened(browser, url, viewport=WIDE, color_scheme="light") as page:
            steps = failover(source.found)

            def step() -> None:
                source.found = next(steps, source.found)

            record(page, directory / "failover.gif", 9.0, step)


def save(page: Page, path: Path) -> None:
    """A screenshot with few colours: a fraction of its size."""
    _frame(page).save(path, optimize=True)
    _tell(path)


def record(page: Page, path: Path, seconds: float, step: Callable[[], None] = lambda: None) -> None:
    """An animated picture of what is seen, at the pace at which it was seen.

    Args:
        page: to look at.
        path: of the GIF.
        seconds: how long to look.
        step: makes the next thing happen; called again and again.
    """
    frames: list[Image.Image] = []
    shown_ms: list[int] = []
    begin = last = time.monotonic()
    next_step = begin + _STILL_S
    while last - begin < seconds:
        if last >= next_step:
            step()
            next_step = last + (_STILL_S if next_step - begin == _STILL_S else _STEP_S)
        frame = _frame(page)
        now = time.monotonic()
        if frames and frame.tobytes() == frames[-1].tobytes():
            shown_ms[-1] += round((now - last) * 1000)
        else:
            frames.append(frame)
            shown_ms.append(round((now - last) * 1000))
        last = now
    shown_ms[-1] = 3000  # before it begins again
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=shown_ms, loop=0)
    _tell(path)


def _frame(page: Page) -> Image.Image:
    picture = Image.open(io.BytesIO(page.screenshot()))
    return picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)


def _tell(path: Path) -> None:
    print(f"{path}: {path.stat().st_size / 1024:.0f} kB")  # noqa: T201  # a command, its output


if __name__ == "__main__":
    main()
