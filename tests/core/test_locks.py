from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import transaction
from django.db.transaction import TransactionManagementError

from apps.core.locks import lock_rows, require_transaction, try_advisory_lock
from apps.outbox.models import Stream
from tests.races import at_once, in_one_transaction

pytestmark = pytest.mark.django_db(transaction=True)


def elsewhere(act: Callable[[], object]) -> object:
    """What the act answers in a transaction of another connection."""
    answers: list[object] = []
    assert at_once(lambda: in_one_transaction(lambda: answers.append(act()))) == []
    return answers[0]


def make_streams(count: int) -> list[Stream]:
    return [Stream.objects.create(kind=Stream.Kind.REQUEST) for _ in range(count)]


@pytest.mark.sqlite
@pytest.mark.parametrize(
    "take", [require_transaction, lambda: lock_rows(Stream.objects.all()), lambda: try_advisory_lock("one")]
)
def test_a_lock_outside_a_transaction_is_refused(take):
    with pytest.raises(TransactionManagementError, match="inside a transaction only"):
        take()


@pytest.mark.sqlite
def test_rows_are_locked_in_the_order_of_their_keys_whatever_was_asked_for():
    first, second, third = make_streams(3)
    with transaction.atomic():
        rows = lock_rows(Stream.objects.filter(pk__in=[third.pk, first.pk, second.pk]).order_by("-pk"))
    assert rows == [first, second, third]


@pytest.mark.sqlite
def test_inside_a_transaction_a_free_lock_is_taken():
    with transaction.atomic():
        assert try_advisory_lock("one") is True
        assert try_advisory_lock("one") is True


@pytest.mark.postgres
def test_rows_that_somebody_holds_are_left_out():
    first, second = make_streams(2)
    with transaction.atomic():
        lock_rows(Stream.objects.filter(pk=first.pk))
        assert elsewhere(lambda: lock_rows(Stream.objects.all(), skip_locked=True)) == [second]
    assert elsewhere(lambda: lock_rows(Stream.objects.all(), skip_locked=True)) == [first, second]


@pytest.mark.postgres
def test_a_named_lock_has_one_holder_until_its_transaction_ends():
    with transaction.atomic():
        assert try_advisory_lock("one")
        assert elsewhere(lambda: try_advisory_lock("one")) is False
        assert elsewhere(lambda: try_advisory_lock("another")) is True
    assert elsewhere(lambda: try_advisory_lock("one")) is True
