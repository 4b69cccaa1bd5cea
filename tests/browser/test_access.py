"""The page for those who do not see it, or use no mouse."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.support import opened
from tests.unit.web.simulated import Simulated, killed, swarm

FOCUS = """() => {
  const on = document.activeElement;
  return on.id || on.dataset.id || on.dataset.view || on.className;
}"""


@pytest.fixture
def source() -> Simulated:
    return Simulated(swarm(nodes=3, services=1, replicas=2))


def test_a_screen_reader_is_told_what_the_picture_shows(
    browser: Browser, source: Simulated, url: str
) -> None:
    source.found = killed(source.found, "n2")
    with opened(browser, url) as page:
        expect(page.locator("body")).to_match_aria_snapshot("""
          - banner:
            - heading "Swarm" [level=1]
            - status: 1 node is not ready
            - paragraph: /as of .+, from 10\\.0\\.0\\.0/
          - navigation "Views":
            - link "Nodes"
            - link "Services"
          - main:
            - heading "Nodes and tasks" [level=2]
            - combobox "stack"
            - searchbox "service"
            - combobox "state"
            - list "Colours of the services":
              - listitem: shop_part0 2/2
            - list "Shapes of the states":
              - listitem: lost with its node
            - group "Nodes and their tasks":
              - group "swarm_app_mgr1, leader, ready, eu-central-1a, 0 tasks"
              - group "swarm_app_wkr1, worker, ready, eu-central-1b, 2 tasks"
              - group "swarm_app_wkr2, worker, down, eu-central-1c, 1 task"
              - 'img "shop_part0.1: running on swarm_app_wkr1"'
              - 'img "shop_part0.2: running on swarm_app_wkr1"'
              - 'img "shop_part0.1: lost with its node on swarm_app_wkr2"'
        """)


def test_tab_goes_from_the_top_to_the_nodes(browser: Browser, url: str) -> None:
    with opened(browser, url) as page:
        found = []
        for _ in range(10):
            page.keyboard.press("Tab")
            found.append(page.evaluate(FOCUS))
        views = ["nodes", "services", "whatif", "runs", "findings"]
        assert found == ["skip", *views, "stack", "service", "state", "n0"]


def test_what_is_chosen_is_said(browser: Browser, url: str) -> None:
    with opened(browser, url + "#whatif") as page:
        node = page.get_by_role("button", name="swarm_app_wkr1")
        expect(node).to_have_attribute("aria-pressed", "false")
        node.focus()
        page.keyboard.press("Space")
        expect(node).to_have_attribute("aria-pressed", "true")
        expect(page.locator("main").get_by_role("status")).to_contain_text("would start elsewhere")


def test_a_table_is_a_table_on_a_phone_too(browser: Browser, url: str) -> None:
    with opened(browser, url + "#services", viewport={"width": 380, "height": 760}) as page:
        row = page.get_by_role("row").nth(1)
        expect(row.get_by_role("rowheader")).to_have_text("shop_part0")
        expect(row.get_by_role("cell").first).to_have_text("2/2")
        assert page.evaluate("document.documentElement.scrollWidth") <= 380
