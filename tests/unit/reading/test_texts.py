"""Text of others is shown without what a terminal would obey, and never whole if it is long."""

import pytest

from swarmctl.reading.texts import clean, one_line, shortened


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("\x1b[1;31mFailed\x1b[0m to start", "Failed to start"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\text", "text"),
        ("\x1b(Bplain\x1b7", "plain"),
        ("a\x00b\x08c\x9bd\uffff", "abcd"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("cut off \x1b", "cut off "),
    ],
)
def test_escape_sequences_and_control_characters_are_left_out(raw: str, shown: str) -> None:
    assert clean(raw) == shown


def test_many_lines_become_one() -> None:
    assert one_line(" a\r\n\n  b\x1b[K\n", 80) == "a b"


def test_a_long_text_is_cut_and_its_length_is_told() -> None:
    assert shortened("short", 5) == "short"
    cut = shortened("x" * 1000, 100)
    assert len(cut) == 100
    assert cut.endswith("x… (1000 characters in all)")
