import pytest
from django.core.exceptions import ValidationError

from apps.core.admin_parts import as_code, as_text, read_document, table


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{\n "a" 1}', "Line 2, column 6: Expecting ':' delimiter."),
        ('{"a": 1, "a": 2}', "Line 1, column 10: The key 'a' occurs twice in one object."),
        ('{"a": NaN}', "Line 1, column 7: NaN is not JSON."),
        ('{"a": -Infinity}', "Line 1, column 7: -Infinity is not JSON."),
        ('{"a": "x\\u0000"}', "Line 1, column 7: Character 2 (U+0000) cannot be stored."),
        ('{"\\ud800": 1}', "Line 1, column 2: Character 1 (U+D800) cannot be stored."),
        ("[" * 61 + "]" * 61, "Line 1, column 61: This is nested more than 60 levels deep."),
        ("[" * 200_000, "Line 1, column 61: This is nested more than 60 levels deep."),
        ('"' + "x" * 1_000_000 + '"', "This is too long: at most 1,000,000 characters are accepted."),
    ],
)
def test_a_text_that_is_no_document_is_refused_with_the_place(text: str, problem: str) -> None:
    with pytest.raises(ValidationError) as refused:
        read_document(text)
    assert refused.value.messages == [problem]


def test_a_number_of_too_many_digits_is_refused() -> None:
    with pytest.raises(ValidationError):
        read_document("9" * 5000)


def test_a_document_is_read_as_it_is() -> None:
    assert read_document('{"a": [1, 2.5, "é", null, true]}') == {"a": [1, 2.5, "é", None, True]}


def test_what_is_shown_is_escaped() -> None:
    shown = "&lt;script&gt;"
    assert shown in as_code({"a": "<script>"})
    assert shown in table(("Head",), [("<script>",)], empty="nothing")
    assert table(("Head",), [], empty="nothing") == "nothing"


def test_what_fits_a_line_stands_on_one_and_the_given_keys_come_first() -> None:
    document = {"steps": [{"kind": "start", "id": "a"}], "name": "x" * 90, "format": 1}
    assert as_text(document, order=("format", "id")).splitlines() == [
        "{",
        '  "format": 1,',
        '  "steps": [{"id": "a", "kind": "start"}],',
        f'  "name": "{"x" * 90}"',
        "}",
    ]


@pytest.mark.parametrize("document", [{}, [], None, "text", {"a": []}, {"long": ["x" * 60, {"b": "y" * 60}]}])
def test_a_document_that_was_shown_is_read_back_as_it_was(document: object) -> None:
    assert read_document(as_text(document)) == document
