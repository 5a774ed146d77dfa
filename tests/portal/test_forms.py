import pytest
from django.http import QueryDict

from apps.core.errors import InvalidInput
from apps.portal.forms import form_as_sent, wish_of
from apps.requests.forms import Form
from tests.portal.conftest import FORM, World

FIELDS = Form.from_document(FORM)


def entered(**values: str) -> QueryDict:
    sent = QueryDict(mutable=True)
    for name, value in values.items():
        sent[f"data.{name}" if name in {"reason", "price", "pieces", "buddy", "size"} else name] = value
    return sent


@pytest.mark.parametrize("text", ["1,200", "1.200", "15.000", "2,400"])
def test_an_amount_that_can_be_read_in_two_ways_is_refused_not_guessed(text: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        FIELDS.accept(wish_of(FIELDS, entered(reason="a", price=text)).data, partial=True)
    assert list(refused.value.errors) == ["data.price"]


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("12.50", "12.50"),
        ("12,50", "12.50"),
        ("1 250,5", "1250.5"),
        ("1,250.50", "1250.50"),
        ("1.250,50", "1250.50"),
        ("much", "much"),
    ],
)
def test_an_amount_may_be_written_with_a_comma(text: str, amount: str) -> None:
    wish = wish_of(FIELDS, entered(price=text))
    assert wish.data == {"price": {"amount": amount, "currency": "EUR"}}


@pytest.mark.parametrize(("text", "value"), [("3", 3), ("3,5", 3.5), ("three", "three")])
def test_a_number_that_is_none_is_handed_on_as_it_was_entered(text: str, value: object) -> None:
    assert wish_of(FIELDS, entered(pieces=text)).data == {"pieces": value}


def test_empty_fields_are_left_out_and_blanks_around_text_stay() -> None:
    assert wish_of(FIELDS, entered(reason=" why ", price="", pieces="")).data == {"reason": " why "}


def test_an_unknown_person_is_refused_beside_the_field(world: World) -> None:
    with pytest.raises(InvalidInput) as refused:
        wish_of(FIELDS, entered(requested_for="nobody"))
    assert refused.value.errors == {"requested_for": ["There is no active person with this user name."]}


def test_the_summary_names_every_problem_in_the_order_of_the_page() -> None:
    errors = {"title": ["Too long."], "data.pieces": ["At most 10."], "data.ghost": ["No such field."]}
    form = form_as_sent(FIELDS, entered(pieces="11", title="x" * 300), errors)
    assert [(problem.anchor, problem.label, problem.text) for problem in form.problems] == [
        ("field-pieces", "Pieces", "At most 10."),
        ("field-title", "Title", "Too long."),
        ("", "ghost", "No such field."),
    ]
    assert [entry.value for entry in form.entries if entry.errors] == ["11"]
