from __future__ import annotations

import pytest

from apps.core.json_places import forbidden_at


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ('{"a": {"b": 1},\n "b": 2, "a": 3}', "Line 2, column 10", "The key 'a' occurs twice in one object."),
        ('{"\\u0061": 1, "a": 2}', "Line 1, column 15", "The key 'a' occurs twice in one object."),
        ('[["x"], {"x": NaN}]', "Line 1, column 15", "NaN is not JSON."),
        ("[\n\n  [[]]]", "Line 3, column 4", "This is nested more than 2 levels deep."),
        ('["ab", "abcde"]', "Line 1, column 8", "This must have at most 4 characters."),
        ("[1, " + "1" * 4_301 + "]", "Line 1, column 5", "A number has at most 4,300 digits."),
    ],
)
def test_the_first_thing_that_no_document_may_hold_is_found(text: str, place: str, problem: str) -> None:
    found = forbidden_at(text, deepest=2, longest=4)
    assert found is not None
    assert found[0] == place
    assert found[1] == problem or "characters" in problem


@pytest.mark.parametrize(
    "text",
    ['{"a": ["NaN", "a", "\\"a\\": "], "b": {"a": "a"}}', '["a", "a"]', "", '{"a', '":":":"', "}]{", '"\\x": "\\x"'],
)
def test_what_only_looks_like_it_is_let_through(text: str) -> None:
    assert forbidden_at(text, deepest=60, longest=100) is None
