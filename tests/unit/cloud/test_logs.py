"""CloudWatch Logs' pages are read to their end, and its errors are said in words."""

from __future__ import annotations

from typing import Any

import botocore.session
import pytest
from botocore.stub import Stubber

from swarmctl.cloud.logs import RETENTIONS, Event, Group, Logs, LogsError


@pytest.fixture
def stub() -> Any:
    client = botocore.session.get_session().create_client(
        "logs", region_name="eu-central-1", aws_access_key_id="A", aws_secret_access_key="s"
    )
    with Stubber(client) as stubbed:
        stubbed.api = Logs(client)  # type: ignore[attr-defined]
        yield stubbed
        stubbed.assert_no_pending_responses()


def event(at: int, text: str) -> dict[str, Any]:
    return {"timestamp": at, "message": text, "ingestionTime": at}


def page(events: list[dict[str, Any]], back: str) -> dict[str, Any]:
    return {"events": events, "nextBackwardToken": back, "nextForwardToken": "f"}


def test_events_come_from_all_pages_even_after_an_empty_one(stub: Any) -> None:
    which = {"logGroupName": "g", "startTime": 5, "logStreamNamePrefix": "web."}
    told = [{**event(6, "a"), "logStreamName": "web.1", "eventId": "e"}]
    stub.add_response("filter_log_events", {"events": [], "nextToken": "n"}, which)
    stub.add_response("filter_log_events", {"events": told}, {**which, "nextToken": "n"})
    assert list(stub.api.events("g", 5, prefix="web.")) == [Event(6, "web.1", "a", "e")]


def test_the_last_events_are_looked_for_backwards_until_the_token_repeats(stub: Any) -> None:
    which = {"logGroupName": "g", "logStreamName": "s", "startTime": 0, "startFromHead": False}
    stub.add_response("get_log_events", page([event(3, "c")], "1"), {**which, "limit": 3})
    rest = {**which, "limit": 2}
    stub.add_response("get_log_events", page([], "2"), {**rest, "nextToken": "1"})
    stub.add_response("get_log_events", page([event(2, "b")], "3"), {**rest, "nextToken": "2"})
    last = {**which, "limit": 1, "nextToken": "3"}
    stub.add_response("get_log_events", page([], "3"), last)
    assert [e.text for e in stub.api.last_events("g", "s", 3)] == ["b", "c"]


def test_no_last_events_are_not_asked_for(stub: Any) -> None:
    """Broken: ``logs -n 0 --follow`` says that CloudWatch cannot be read."""
    assert stub.api.last_events("g", "s", 0) == []


def test_the_latest_stream_is_first_by_whatever_cloudwatch_has_noticed(stub: Any) -> None:
    streams = [
        {"logStreamName": "old", "creationTime": 1, "lastEventTimestamp": 9},
        {"logStreamName": "new", "creationTime": 10},
    ]
    stub.add_response("describe_log_streams", {"logStreams": streams}, {"logGroupName": "g"})
    assert [stream.name for stream in stub.api.streams("g", "")] == ["new", "old"]


def test_a_group_has_the_arn_that_tags_are_asked_for_with(stub: Any) -> None:
    told = {"logGroupName": "/g", "arn": "arn:aws:logs:r:1:log-group:/g:*", "retentionInDays": 7}
    stub.add_response("describe_log_groups", {"logGroups": [told]}, {"logGroupNamePrefix": "/g"})
    assert stub.api.groups("/g") == [Group("/g", "arn:aws:logs:r:1:log-group:/g", 7)]


def test_a_refusal_says_what_was_refused(stub: Any) -> None:
    stub.add_client_error("describe_log_streams", "ResourceNotFoundException", "no such group")
    with pytest.raises(LogsError, match="CloudWatch Logs refused DescribeLogStreams") as caught:
        stub.api.streams("g", "")
    assert caught.value.code == "ResourceNotFound"


def test_retentions_are_those_of_the_api_not_those_of_the_ansible_module() -> None:
    assert {1096, 2192, 2557, 2922, 3288} < set(RETENTIONS)
    assert 2 not in RETENTIONS
