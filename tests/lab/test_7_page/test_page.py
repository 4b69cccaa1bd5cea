"""The page in a browser, over a Swarm whose machines are killed: three managers, four workers."""

from __future__ import annotations

import json
import logging
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from swarmctl.wait import wait_for
from tests.browser.support import opened
from tests.lab.support import BIN, CLUSTER, ROOT, Lab, Playbook, healthy

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

VICTIM = f"{CLUSTER}_wkr3"
VIEWERS = 5
# What Swarm needs to find a node Down, and a replica elsewhere to start, on a busy machine.
SECONDS = 90
_LOG = logging.getLogger(__name__)
_URL = re.compile(r"http://\S+/")

# In the page: when the first node was shown as Down, on this computer's clock, which the lab's
# machines share.
WATCH_DOWN = """() => {
  const look = () => {
    if (document.querySelector('.node.down')) window.downShownAt ??= Date.now() / 1000;
  };
  const everything = {subtree: true, attributes: true, childList: true};
  new MutationObserver(look).observe(document.body, everything);
}"""
PLACES = """() => [...document.querySelectorAll('svg.swarm .task.running')]
  .map(box => box.getAttribute('aria-label'))"""


@contextmanager
def web(lab: Lab, log: Path, port: int = 0) -> Iterator[str]:
    """A running ``swarmctl web``, which ends well when it is told to; yields its URL."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(BIN / "swarmctl"), "web", "--port", str(port)],
            cwd=ROOT,
            env=lab.env,
            stdin=subprocess.DEVNULL,
            stderr=output,
        )

    def started() -> tuple[str | None, str]:
        text = log.read_text()
        assert process.poll() is None, text
        found = _URL.search(text)
        return (found[0] if found else None), text

    try:
        yield wait_for("the page to be served", started, timeout=60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def whole(lab: Lab, grown: Playbook) -> Iterator[None]:
    """Every machine runs, before and after a test."""
    wait_for("the Swarm to be whole", lambda: healthy(lab), timeout=180, interval=1)
    yield
    stopped = lab.ec2.describe_instances(
        Filters=[{"Name": "instance-state-name", "Values": ["stopping", "stopped"]}]
    )["Reservations"]
    if ids := [i["InstanceId"] for found in stopped for i in found["Instances"]]:
        waiter: Any = lab.ec2.get_waiter("instance_stopped")
        waiter.wait(InstanceIds=ids, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        lab.ec2.start_instances(InstanceIds=ids)
    wait_for("the Swarm to be whole again", lambda: elected(lab), timeout=240, interval=1)


def elected(lab: Lab) -> tuple[bool | None, str]:
    """Whether the Swarm is healthy; until there is a leader again, every command fails."""
    done = lab.swarmctl("status")
    return healthy(lab) if done.returncode == 0 else (None, done.stderr)


def stop(lab: Lab, *names: str) -> None:
    """Pull the plug of some machines."""
    ids = [lab.instance(name)["InstanceId"] for name in names]
    lab.ec2.stop_instances(InstanceIds=ids, Force=True)


def drawn(page: Page) -> dict[str, int]:
    """How many boxes run, by service and node, as the page says to a screen reader."""
    labels: list[str] = page.evaluate(PLACES)
    found = (re.fullmatch(r"(.+)\.\d+: running on (\S+)", label) for label in labels)
    return Counter(f"{match[1]} on {match[2]}" for match in found if match)


def listed(services: list[dict[str, Any]]) -> dict[str, int]:
    """… and as ``status --format json`` lists them."""
    return {
        f"{service['name']} on {node}": count
        for service in services
        for node, count in service["nodes"].items()
    }


def down_since(lab: Lab, name: str) -> float:
    """When the managers wrote down that a node is Down."""
    shown = lab.ssh(f"{CLUSTER}_mgr1", f"docker node inspect {name}")
    (node,) = json.loads(shown.stdout)
    assert node["Status"]["State"] == "down", shown.stdout
    return datetime.fromisoformat(node["UpdatedAt"]).timestamp()


def test_five_viewers_see_a_killed_worker_within_a_second_and_where_its_replicas_went(
    lab: Lab, whole: None, browser: Browser, tmp_path: Path
) -> None:
    """Broken: whoever looks at the page at night sees a Swarm that is not there any more."""
    with web(lab, tmp_path / "log") as url, ExitStack() as viewers:
        pages = [viewers.enter_context(opened(browser, url)) for _ in range(VIEWERS)]
        for page in pages:
            page.evaluate(WATCH_DOWN)
        stop(lab, VICTIM)
        for page in pages:
            expect(page.locator(".node.down")).to_have_count(1, timeout=SECONDS * 1000)
        written = down_since(lab, VICTIM)
        delays = [page.evaluate("window.downShownAt") - written for page in pages]
        assert max(delays) < 1, delays
        _LOG.info(f"Down was shown after {min(delays):.2f} to {max(delays):.2f} s")

        def agree() -> tuple[bool | None, str]:
            status = lab.status()
            found = [drawn(page) for page in pages]
            wanted = listed(status["services"])
            missing = sum(service["missing"] for service in status["services"])
            same = not missing and all(each == wanted for each in found)
            return (True if same else None), f"missing {missing}: {found[0]} and {wanted}"

        wait_for("the pages to show where the replicas are", agree, timeout=SECONDS)
        assert not any(place.endswith(VICTIM) for place in drawn(pages[0]))
        answer = pages[0].evaluate("() => fetch('api/swarm').then(found => found.json())")
        assert answer["services"] == lab.status()["services"]


def test_the_page_comes_back_when_its_server_does(
    lab: Lab, whole: None, browser: Browser, tmp_path: Path
) -> None:
    """Broken: after an update of swarmctl every open page shows the past, as if it were now."""
    context = browser.new_context()
    page = context.new_page()
    with web(lab, tmp_path / "first") as url:
        page.goto(url)
        expect(page.locator("#health")).to_have_text("healthy", timeout=30_000)
    expect(page.locator("#fault")).to_contain_text("connection to swarmctl web is lost")
    with web(lab, tmp_path / "second", port=int(url.rpartition(":")[2].strip("/"))):
        expect(page.locator("#fault")).to_be_hidden(timeout=30_000)
        expect(page.locator("#health")).to_have_text("healthy")
        context.close()


def test_another_manager_is_read_when_one_dies_and_the_page_is_frozen_without_a_majority(
    lab: Lab, whole: None, browser: Browser, tmp_path: Path
) -> None:
    """Broken: the page dies with the manager that it read, or looks alive without one."""
    names = {lab.address(name): name for name in (f"{CLUSTER}_mgr{n}" for n in (1, 2, 3))}
    with web(lab, tmp_path / "log") as url, opened(browser, url) as page:
        age = page.locator("#age")
        before = str(age.text_content()).rpartition(" ")[2]
        stop(lab, names[before])
        others = [address for address in names if address != before]
        expect(age).to_contain_text(
            re.compile("|".join(f"from {re.escape(each)}" for each in others)),
            timeout=SECONDS * 1000,
        )
        expect(page.locator("#fault")).to_be_hidden(timeout=SECONDS * 1000)
        expect(page.locator(".node.down")).to_have_count(1, timeout=SECONDS * 1000)
        boxes = page.locator("svg.swarm .task").count()
        stop(lab, names[others[0]])
        expect(page.locator("#fault")).to_contain_text("Frozen since", timeout=SECONDS * 1000)
        assert page.evaluate("document.body.classList.contains('frozen')")
        assert page.locator("svg.swarm .task").count() == boxes > 0
