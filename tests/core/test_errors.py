from __future__ import annotations

import pytest

from apps.core import errors
from apps.core.errors import AlreadyDecided, BrokenDocument, Conflict, DomainError, InvalidInput, NotVisible

pytestmark = pytest.mark.sqlite


def all_errors() -> list[type[DomainError]]:
    return [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, DomainError)]


def test_every_error_has_a_code_of_its_own_and_a_sentence():
    codes = [one.code for one in all_errors()]
    assert len(codes) == len(set(codes))
    assert all((one.__doc__ or "").strip().endswith(".") for one in all_errors())


def test_the_docstring_is_the_message_unless_there_is_a_better_one():
    assert str(NotVisible()) == "There is nothing here, or nothing that you may see."
    assert str(Conflict("There is no draft to publish.")) == "There is no draft to publish."
    assert AlreadyDecided(seat=7).context == {"seat": 7}


def test_invalid_input_names_its_fields():
    refused = InvalidInput({"title": ["This is required."], "data.amount": ("Too much.", "Not whole.")})
    assert refused.errors == {"title": ["This is required."], "data.amount": ["Too much.", "Not whole."]}
    assert str(refused) == "title: This is required.; data.amount: Too much. Not whole."
    assert isinstance(BrokenDocument({"steps": ["None."]}), InvalidInput)
