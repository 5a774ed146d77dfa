from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.core.rows import insert_rows, update_rows
from apps.outbox.models import Event, Stream

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
AT = datetime(2026, 3, 29, 0, 59, 59, 123456, tzinfo=UTC)
DATA = {"text": "“ü” \\ 'quoted' %s {}\n", "numbers": [1, -0.25, 1e22, 2**53 + 1], "none": None, "deep": {"a": [True]}}


def stream() -> Stream:
    return Stream.objects.create(kind=Stream.Kind.REQUEST)


def event(of: Stream, seq: int, **fields: object) -> Event:
    values = {"type": "x", "actor": "system", "prev_hash": b"", "hash": bytes(range(32)), "key_id": "k", "at": AT}
    return Event(stream=of, seq=seq, **{**values, **fields})


def stored(pk: int) -> dict:
    row = Event.objects.filter(pk=pk).values().get()
    return {name: bytes(value) if isinstance(value, memoryview) else value for name, value in row.items()}


def test_an_inserted_row_reads_back_value_for_value_as_the_orm_would_have_written_it():
    of = stream()
    mine, plain = event(of, 1, data=DATA), event(of, 2, data=DATA)
    insert_rows([mine])
    plain.save()
    assert stored(mine.pk) == {**stored(plain.pk), "id": mine.pk, "seq": 1}
    assert stored(mine.pk)["data"] == DATA
    assert (stored(mine.pk)["at"], stored(mine.pk)["position"]) == (AT, None)


@pytest.mark.parametrize("count", [1, 3, 500])
def test_rows_get_their_keys_in_the_order_given_by_one_statement(count):
    of = stream()
    rows = [event(of, seq) for seq in range(count, 0, -1)]
    with CaptureQueriesContext(connection) as captured:
        insert_rows(rows)
    assert len(captured) == 1 or (connection.vendor == "sqlite" and count == 500)
    assert [row.pk for row in rows] == sorted(row.pk for row in rows)
    assert list(Event.objects.order_by("id").values_list("seq", flat=True)) == list(range(count, 0, -1))


@pytest.mark.parametrize("count", [1, 3])
def test_only_the_named_fields_of_the_given_rows_are_written_by_one_statement(count):
    rows, other = [stream() for _ in range(count)], stream()
    for n, row in enumerate(rows, 1):
        row.last_seq, row.last_hash, row.last_at, row.quiet_until = n, bytes([n] * 32), AT, 7
    with CaptureQueriesContext(connection) as captured:
        update_rows(rows, ["last_seq", "last_hash", "last_at"])
    assert len(captured) == 1
    fresh = Stream.objects.order_by("id").values_list("last_seq", "last_hash", "last_at", "quiet_until")
    assert [(seq, bytes(digest), at, quiet) for seq, digest, at, quiet in fresh] == [
        *((n, bytes([n] * 32), AT, 0) for n in range(1, count + 1)),
        (0, b"", None, 0),
    ]
    assert Stream.objects.get(pk=other.pk).last_seq == 0


def test_a_row_that_is_not_there_any_more_is_passed_over_and_the_others_are_written():
    kept, gone = stream(), stream()
    Stream.objects.filter(pk=gone.pk).delete()
    kept.last_seq = gone.last_seq = 3
    update_rows([kept, gone], ["last_seq"])
    assert list(Stream.objects.values_list("pk", "last_seq")) == [(kept.pk, 3)]


def test_no_rows_are_no_statement():
    with CaptureQueriesContext(connection) as captured:
        insert_rows([])
        update_rows([], ["last_seq"])
    assert len(captured) == 0


def test_what_the_database_forbids_is_refused_and_nothing_is_written():
    of = stream()
    with pytest.raises(IntegrityError), transaction.atomic():
        insert_rows([event(of, 1), event(of, 1)])
    assert Event.objects.count() == 0


@pytest.mark.postgres
def test_too_long_a_text_is_refused_and_not_cut():
    of = stream()
    with pytest.raises(DataError), transaction.atomic():
        insert_rows([event(of, 1, type="x" * 65)])
    assert Event.objects.count() == 0
