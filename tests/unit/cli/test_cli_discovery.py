"""``swarmctl discovery list`` as it is seen."""

from __future__ import annotations

import pytest

from swarmctl.cli.show.discovery import show_endpoints
from swarmctl.discovery.catalogue import catalogue
from swarmctl.discovery.choose import choose
from swarmctl.errors import UsageError
from tests.unit.discovery.shop import labelled, port, shop

FOUND = catalogue(
    shop(labelled("shop_inner", None), labelled("shop_bad", [port(80, 81)], name="no good"))
)


def seen(capsys: pytest.CaptureFixture[str], service: str | None) -> tuple[list[str], str]:
    chosen = FOUND.endpoints if service is None else choose(FOUND, service)
    show_endpoints(FOUND, chosen, service, {"shop_web": ["http://lb.example/"]} if chosen else {})
    out, err = capsys.readouterr()
    return [" ".join(line.split()) for line in out.splitlines()], err


def test_all_endpoints_are_shown_with_what_is_not_published_and_why(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines, err = seen(capsys, None)
    assert "shop-web 10.42.0.5:32768 wkr_1 eu-1a shop_web.1 80/tcp 2.4 v1, blue" in lines
    assert "shop_web http://lb.example/" in lines
    assert "shop_bad: not published: 'no good' is no DNS label" in err
    assert "reachable inside the Swarm only: shop_inner" in err


def test_of_one_service_only_its_own_endpoints_and_notes_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines, err = seen(capsys, "shop_web")
    assert sum(line.startswith("shop-web") for line in lines) == 2
    assert err == ""
    lines, err = seen(capsys, "shop_inner")
    assert lines == []
    assert err.splitlines()[0] == "no endpoint: nothing that is published serves"
    assert "shop_inner" in err
    assert "shop_bad" not in err


def test_an_unknown_service_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        choose(FOUND, "shop-wbe")
    assert "did you mean 'shop-web'?" in caught.value.hint
