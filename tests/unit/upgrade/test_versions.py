"""Versions of Engines and packages, and what an archive offers."""

from __future__ import annotations

import re

import pytest

from swarmctl.errors import UsageError
from swarmctl.upgrade.survey import Surveyed, from_apt, read_survey
from swarmctl.upgrade.versions import choose, engine_of, least_api, same_release
from tests.unit.ansible.filters import load_filters

POLICY = """\
docker.io:
  Installed: 20.10.24+dfsg1-1+deb12u1+b6
  Candidate: 26.1.5+dfsg1-9+deb13u1+b1
  Version table:
     26.1.5+dfsg1-9+deb13u1+b1 500
        500 file:/opt/lab/apt ./ Packages
 *** 20.10.24+dfsg1-1+deb12u1+b6 100
        100 /var/lib/dpkg/status
"""


@pytest.mark.parametrize(
    ("package", "engine"),
    [
        ("26.1.5+dfsg1-9+deb13u1+b1", "26.1.5+dfsg1"),  # Debian
        ("26.1.3-0ubuntu1~24.04.1", "26.1.3"),
        ("5:27.3.1-1~debian.13~trixie", "27.3.1"),  # download.docker.com
        ("5:28.0.0~rc.1-1~ubuntu.24.04~noble", "28.0.0-rc.1"),
        ("25.0.8-1.amzn2023.0.2", "25.0.8"),
    ],
)
def test_a_package_says_what_its_engine_will_say(package: str, engine: str) -> None:
    assert engine_of(package) == engine


def test_the_candidate_of_apt_is_taken_unless_a_version_is_asked_for() -> None:
    assert from_apt(POLICY, "") == {
        "installed": "20.10.24+dfsg1-1+deb12u1+b6",
        "target": "26.1.5+dfsg1-9+deb13u1+b1",
    }
    assert from_apt(POLICY, "20.10.24")["target"] == "20.10.24+dfsg1-1+deb12u1+b6"
    assert from_apt(POLICY, "26.1.5+dfsg1")["target"] == "26.1.5+dfsg1-9+deb13u1+b1"


def test_a_version_that_is_not_offered_is_refused_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"no Engine 26\.1 in the archive; it has 26\.1\.5\+dfsg1"):
        from_apt(POLICY, "26.1")
    with pytest.raises(UsageError, match="no Engine at all in the archive; it has none"):
        choose([], "")


def test_the_filters_of_the_role_return_the_refusal() -> None:
    filters = load_filters("docker_engine", "engine_survey")
    assert filters.engine_from_apt(POLICY, "27") == {
        "error": "no Engine 27 in the archive; it has 26.1.5+dfsg1-9+deb13u1+b1, "
        "20.10.24+dfsg1-1+deb12u1+b6"
    }
    offered = "25.0.8-1.amzn2023.0.2\n25.0.14-1.amzn2023.0.1\n"
    assert filters.engine_from_dnf(offered, "25.0.8-1.amzn2023.0.2", "") == {
        "installed": "25.0.8-1.amzn2023.0.2",
        "target": "25.0.14-1.amzn2023.0.1",
        "error": "",
    }


def test_an_engine_of_another_package_is_not_replaced() -> None:
    """Broken: docker.io comes, and apt removes docker-ce with all that runs."""
    other = re.sub("Installed: .*", "Installed: (none)", POLICY)
    with pytest.raises(UsageError, match="from another package: see docker_engine_source"):
        from_apt(other, "")
    filters = load_filters("docker_engine", "engine_survey")
    assert "another package" in filters.engine_from_dnf("25.0.8-1", "", "")["error"]


def test_an_upgrade_of_the_package_alone_is_an_upgrade() -> None:
    """A security fix of a distribution keeps the Engine's version."""
    fixed = Surveyed("26.1.5+dfsg1", "26.1.5+dfsg1-9", "26.1.5+dfsg1-9+deb13u1")
    assert not fixed.current
    assert Surveyed("26.1.5+dfsg1", fixed.target, fixed.target).current


def test_an_engine_that_was_not_restarted_is_not_current() -> None:
    assert not Surveyed("20.10.24+dfsg1", "26.1.5+dfsg1-9", "26.1.5+dfsg1-9").current
    assert not Surveyed("", "26.1.5+dfsg1-9", "26.1.5+dfsg1-9").current


def test_releases_are_compared_by_their_numbers() -> None:
    assert same_release("26.1.5+dfsg1", "26.1.5")
    assert not same_release("26.1.5", "26.1.50")
    assert not same_release("", "")


@pytest.mark.parametrize(
    ("engine", "api"), [("20.10.24", (1, 12)), ("26.1.5", (1, 24)), ("29.0.0", (1, 44))]
)
def test_the_least_api_rises_with_the_engine(engine: str, api: tuple[int, int]) -> None:
    assert least_api(engine) == api


@pytest.mark.parametrize("text", ["", "[]", '{"a": {}}', '{"a": 1}'])
def test_what_is_no_survey_is_refused_with_the_form(text: str) -> None:
    with pytest.raises(UsageError, match="no survey") as refused:
        read_survey(text)
    assert "running" in refused.value.hint
