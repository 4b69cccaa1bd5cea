"""The page over HTTP: read-only, guarded, one reader for all viewers."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from swarmctl.discovery.listeners.sockets import Place
from swarmctl.errors import UsageError
from swarmctl.swarm.overview import as_json, overview
from swarmctl.wait import wait_for
from swarmctl.web import guard
from swarmctl.web.serve import check, read_password
from tests.unit.web.simulated import Simulated, killed, served, swarm

SECONDS = 10


@pytest.fixture
def source() -> Simulated:
    return Simulated(swarm(nodes=4, services=2, replicas=3))


@pytest.fixture
def url(source: Simulated, tmp_path: Path) -> Iterator[str]:
    with served(source, tmp_path) as found:
        yield found


def events(answer: requests.Response) -> Iterator[tuple[str, str, Any]]:
    """Kind, id and data of each event."""
    fields: dict[str, str] = {}
    for line in answer.iter_lines(decode_unicode=True):
        if line:
            key, _, value = line.partition(": ")
            fields[key] = value
        elif "event" in fields:
            yield fields["event"], fields.get("id", ""), json.loads(fields["data"])
            fields = {}


def stream(url: str, **headers: str) -> requests.Response:
    answer = requests.get(f"{url}api/events", headers=headers, stream=True, timeout=SECONDS)
    answer.encoding = "utf-8"
    return answer


def next_of(found: Iterator[tuple[str, str, Any]], kind: str) -> tuple[str, Any]:
    return next((name, data) for event, name, data in found if event == kind)


def test_the_status_is_that_of_the_command(url: str, source: Simulated) -> None:
    found = requests.get(f"{url}api/swarm", timeout=SECONDS).json()
    expected = as_json(overview(source.found), cluster="swarm_app", manager="10.0.0.0")
    assert found == json.loads(json.dumps(expected))


def test_a_viewer_gets_a_snapshot_and_then_differences(url: str, source: Simulated) -> None:
    with stream(url) as answer:
        found = events(answer)
        _, first = next_of(found, "snapshot")
        assert len(first["document"]["tasks"]) == 6
        source.found = killed(source.found, "n1")
        _, second = next_of(found, "delta")
        assert second["changes"]["nodes"]["set"]["n1"]["state"] == "down"
        assert "n2" not in second["changes"]["nodes"]["set"]


def test_a_viewer_that_comes_back_gets_what_it_missed(url: str, source: Simulated) -> None:
    with stream(url) as watching:
        found = events(watching)
        last, _ = next_of(found, "snapshot")
        source.found = killed(source.found, "n1")
        next_of(found, "delta")
        with stream(url, **{"Last-Event-ID": last}) as again:
            kind, _, data = next(events(again))
        assert kind == "delta"
        assert set(data["changes"]["nodes"]["set"]) == {"n1"}


@pytest.mark.parametrize("last", ["00000000-0", "nonsense", "-", "00000000-9999999999999999999999"])
def test_a_viewer_of_another_process_gets_a_snapshot(url: str, last: str) -> None:
    with stream(url) as first:
        next_of(events(first), "snapshot")
        with stream(url, **{"Last-Event-ID": last}) as again:
            assert next(events(again))[0] == "snapshot"


def test_a_page_without_a_manager_keeps_what_it_has_and_says_since_when(
    url: str, source: Simulated
) -> None:
    with stream(url) as answer:
        found = events(answer)
        _, first = next_of(found, "snapshot")
        source.fault = "no manager answers"
        status = next(d for kind, _, d in found if kind == "status" and d["fault"])
        assert status["fault"] == "no manager answers"
        assert status["failing_since"] >= first["status"]["as_of"] > 0
        source.fault = ""
        source.found = killed(source.found, "n1")
        _, change = next_of(found, "delta")
        assert change["status"]["fault"] == ""
    source.fault = "no manager answers"
    assert requests.get(f"{url}api/swarm", timeout=SECONDS).status_code == 503


def test_a_reader_that_fails_by_itself_says_so_and_reads_on(
    url: str, source: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stream(url) as answer:
        found = events(answer)
        next_of(found, "snapshot")
        with monkeypatch.context() as broken:
            broken.setattr(source, "machines", lambda: 1 / 0)
            assert next(d for kind, _, d in found if kind == "status" and d["fault"])
        source.found = killed(source.found, "n1")
        _, change = next_of(found, "delta")
        assert change["status"]["fault"] == ""


def test_the_swarm_is_read_once_for_all_viewers_and_not_without_one(
    tmp_path: Path,
) -> None:
    class Counting(Simulated):
        asked = 0

        def snapshot(self) -> Any:
            self.asked += 1
            return self.found

    source = Counting(swarm(4, 1, 1))
    with served(source, tmp_path, interval=0.05) as url:
        assert source.asked == 0
        viewers = [stream(url) for _ in range(5)]
        for viewer in viewers:
            next_of(events(viewer), "snapshot")
        before = source.asked
        wait_for("20 snapshots", lambda: (source.asked >= before + 20 or None, ""), timeout=10)
        for viewer in viewers:
            viewer.close()


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["", "api/swarm", "api/events", "static/app.js", "nowhere"])
def test_no_method_writes(url: str, method: str, path: str) -> None:
    answer = requests.request(method, url + path, timeout=SECONDS)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["", "palette.css", "static/app.js", "api/swarm", "nowhere"])
def test_every_answer_forbids_everything_from_elsewhere(url: str, path: str) -> None:
    policy = requests.get(url + path, timeout=SECONDS).headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "*" not in policy


def test_the_page_names_nothing_elsewhere() -> None:
    static = Path(__file__).parents[3] / "swarmctl" / "web" / "static"
    files = [path for path in static.rglob("*") if path.is_file()]
    assert len(files) > 5
    for path in files:
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//[a-z]|@import|innerHTML|eval\(|\bstyle=", text), path


def test_a_name_that_points_at_loopback_is_refused(url: str) -> None:
    answer = requests.get(url, headers={"Host": "evil.example"}, timeout=SECONDS)
    assert answer.status_code == 403
    assert requests.get(url, headers={"Host": "localhost:1"}, timeout=SECONDS).status_code == 200


def test_a_password_is_asked_for_everywhere_but_for_health(
    source: Simulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "LATE_S", 0.0)
    with served(source, tmp_path, password="open sesame") as url:
        for path in ("", "api/swarm", "api/events", "static/app.js"):
            assert requests.get(url + path, timeout=SECONDS).status_code == 401
            wrong = requests.get(url + path, auth=("swarm", "x"), timeout=SECONDS)
            assert wrong.status_code == 401
        assert requests.get(url, auth=("swarm", "open sesame"), timeout=SECONDS).status_code == 200
        odd = {"Authorization": "Basic %%%"}
        assert requests.get(url, headers=odd, timeout=SECONDS).status_code == 401
        assert requests.get(f"{url}health", timeout=SECONDS).text == "ok"
        bare = base64.b64encode(b"swarm:").decode()
        empty = {"Authorization": f"Basic {bare}"}
        assert requests.get(url, headers=empty, timeout=SECONDS).status_code == 401


def test_others_than_this_machine_need_a_password(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no password"):
        check(Place("0.0.0.0", 8642), "")
    check(Place("0.0.0.0", 8642), "x")
    check(Place("127.0.0.1", 8642), "")
    empty = tmp_path / "password"
    empty.write_text("\nsecond\n")
    with pytest.raises(UsageError, match="is empty"):
        read_password(empty)
    with pytest.raises(UsageError, match="cannot read"):
        read_password(tmp_path / "none")


def test_what_if_answers_as_the_command_does(url: str) -> None:
    found = requests.get(f"{url}api/predict?lose=n1&lose=wkr2", timeout=SECONDS).json()
    assert found["lost"] == ["swarm_app_wkr1", "swarm_app_wkr2"]
    counts = found["outcomes"][0]["counts"]["shop_part0"]
    assert sum(counts.values()) == 3
    assert set(counts) <= {"swarm_app_wkr3", "swarm_app_mgr1"}
    zone = requests.get(f"{url}api/predict?az=eu-central-1b", timeout=SECONDS).json()
    assert zone["lost"] == ["swarm_app_wkr1"]
    for query in ("lose=wkr9", "az=nowhere", ""):
        answer = requests.get(f"{url}api/predict?{query}", timeout=SECONDS)
        assert answer.status_code == 400
        assert answer.json()["error"]
    risks = requests.get(f"{url}api/each", timeout=SECONDS).json()
    assert {risk["node"] for risk in risks["nodes"]} == {n.name for n in swarm(4, 1, 1).nodes}


def test_runs_that_are_not_there_are_an_error_and_not_a_file(url: str) -> None:
    assert requests.get(f"{url}api/runs", timeout=SECONDS).json()["runs"] == []
    for name in ("20260101-000000-drain", "..%2f..%2fetc", "%00"):
        answer = requests.get(f"{url}api/runs/{name}", timeout=SECONDS)
        assert answer.status_code in (400, 404), name


def test_a_page_of_another_site_cannot_let_it_work(url: str) -> None:
    """Broken: any page that the operator opens starts audits of all nodes."""
    elsewhere = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    own, link = {"Sec-Fetch-Site": "same-origin"}, {**elsewhere, "Sec-Fetch-Mode": "navigate"}
    for headers, status in ((elsewhere, 403), (own, 200), (link, 200)):
        answer = requests.get(f"{url}api/findings", headers=headers, timeout=SECONDS)
        assert answer.status_code == status


def test_a_viewer_does_not_keep_the_process_alive(
    source: Simulated, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        with served(source, tmp_path) as url:
            answer = stream(url)
            found = events(answer)
            next_of(found, "snapshot")
        assert next((kind for kind, _, _ in found if kind == "snapshot"), None) is None
    assert caplog.records == []


def test_a_hostile_name_is_only_a_text(source: Simulated, tmp_path: Path) -> None:
    name = "<script>alert(1)</script>\u202e"
    service = replace(source.found.services[0], name=name)
    source.found = replace(source.found, services=(service, *source.found.services[1:]))
    with served(source, tmp_path) as url, stream(url) as answer:
        _, first = next_of(events(answer), "snapshot")
        assert name in first["document"]["services"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Type"].startswith("text/event-stream")
