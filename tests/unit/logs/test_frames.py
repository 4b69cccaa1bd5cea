"""The Engine's answer becomes lines, wherever its bytes are cut; its own message ends them."""

from __future__ import annotations

import pytest

from swarmctl.logs.frames import BrokenAnswerError, records

DETAILS = "com.docker.swarm.node.id=n1,com.docker.swarm.task.id=t1"


def frame(text: str, stream: int = 1) -> bytes:
    line = text.encode()
    return bytes([stream, 0, 0, 0]) + len(line).to_bytes(4, "big") + line


def line(text: str, second: int = 1) -> str:
    return f"2026-11-28T13:00:{second:02}.123456789Z {DETAILS} {text}\n"


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_lines_are_whole_however_the_answer_is_cut(size: int) -> None:
    body = frame(line("one")) + frame(line("two words  here", 2), stream=2)
    chunks = [body[i : i + size] for i in range(0, len(body), size)]
    found = list(records(chunks, tty=False))
    assert [(r.text, r.stream, r.task, r.node) for r in found] == [
        ("one", "stdout", "t1", "n1"),
        ("two words  here", "stderr", "t1", "n1"),
    ]
    assert found[0].at.isoformat() == "2026-11-28T13:00:01.123456+00:00"


def test_a_service_with_a_terminal_sends_lines_without_frames() -> None:
    body = (line("one\r") + line("two\r")).encode()
    assert [r.text for r in records([body[:70], body[70:]], tty=True)] == ["one", "two"]


def test_the_engines_own_message_is_no_line_of_the_service() -> None:
    answer = [frame(line("one")), frame("Error grabbing logs: node n1 is not available\n", 3)]
    lines = records(answer, tty=False)
    assert next(lines).text == "one"
    with pytest.raises(BrokenAnswerError, match="node n1 is not available"):
        next(lines)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 teapot, not a log", b"\x01\0\0\0\xff\xff\xff\xff"])
def test_what_is_no_log_is_refused(answer: bytes) -> None:
    with pytest.raises(BrokenAnswerError):
        list(records([answer], tty=False))


def test_details_may_hold_any_character_and_a_line_may_be_empty() -> None:
    text = "2026-11-28T13:00:00Z com.docker.swarm.task.id=t1,a%2Cb=c%3D+d \n"
    (found,) = records([frame(text)], tty=False)
    assert (found.text, found.details["a,b"]) == ("", "c= d")
