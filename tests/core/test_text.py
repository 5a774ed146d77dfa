from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.text import in_brackets, is_blank, text_problem
from tests.conftest import SHARED_DATA

NAUGHTY = SHARED_DATA / "bad-input" / "blns.json"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "This must be text."),
        (7, "This must be text."),
        (b"bytes", "This must be text."),
        (["a"], "This must be text."),
        ("x" * 11, "This is too long: 11 characters, at most 10 are accepted."),
        ("a\x00", "Character 2 (U+0000) cannot be stored."),
        ("\x0b", "Character 1 (U+000B) cannot be stored."),
        ("ab\x1b[1m", "Character 3 (U+001B) cannot be stored."),
        ("\x7f", "Character 1 (U+007F) cannot be stored."),
        ("\ud83d", "Character 1 (U+D83D) cannot be stored."),
        ("a\udfff\x00", "Character 2 (U+DFFF) cannot be stored."),
    ],
)
def test_what_cannot_be_stored_is_named(value, problem):
    assert text_problem(value, max_length=10) == problem


@pytest.mark.parametrize("value", ["", " \t\r\n", "ключ", "😀", "\x85\xa0\u202e\ufeff", "</script>", "x" * 10])
def test_everything_else_is_accepted(value):
    assert text_problem(value, max_length=10) is None


@given(st.text(st.characters(), max_size=30))
def test_what_is_accepted_can_be_encoded_and_holds_no_control(value):
    if text_problem(value, max_length=30) is None:
        assert not set(value.encode().decode()) & ({*map(chr, range(32)), "\x7f"} - set("\t\r\n"))


def test_naughty_strings_are_either_stored_as_they_are_or_refused_with_the_place():
    if not NAUGHTY.exists():
        pytest.skip(f"NOT RUN: needs the list of naughty strings, {NAUGHTY.name} in ../shared/data/bad-input")
    strings = json.loads(NAUGHTY.read_text())
    refused = [value for value in strings if text_problem(value, max_length=10_000)]
    assert len(strings) == 515
    assert all(any(ord(one) < 32 or ord(one) == 127 for one in value) for value in refused)
    assert 0 < len(refused) < 20


@pytest.mark.parametrize(("value", "blank"), [(None, True), ("", True), (" \t\u3000", True), ("x", False), (0, False)])
def test_nothing_and_blanks_alone_count_as_empty(value, blank):
    assert is_blank(value) is blank


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], ""),
        ([""], ""),
        (["Eve"], " (Eve)"),
        (["Eve", "", "Day"], " (Eve, Day)"),
        (["a", "b", "c", "d", "e"], " (a, b, c and 2 more)"),
    ],
)
def test_the_first_names_stand_in_brackets(names, said):
    assert in_brackets(names) == said
