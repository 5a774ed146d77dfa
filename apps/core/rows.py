"""Many rows in one statement with one parameter, for what is written most.

The ORM takes a placeholder for every value, and putting those together costs more than the database's own work. Here
the rows travel as one JSON document, which PostgreSQL takes apart. On SQLite, which is for demonstrations, the ORM does
it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeAlias, TypeVar

from django.db import connection, models

Row = TypeVar("Row", bound=models.Model)
Field: TypeAlias = "models.Field[Any, Any]"


def insert_rows(rows: Sequence[Row]) -> None:
    """Inserts new rows of one model in their order, one statement, and gives them the keys the database hands out."""
    if not rows:
        return
    model = type(rows[0])
    if connection.vendor != "postgresql":
        model._default_manager.bulk_create(rows)
        return
    fields = [field for field in model._meta.concrete_fields if not field.primary_key]
    names, key = ", ".join(_quoted(field) for field in fields), _quoted(_key(model))
    source = f"ROWS FROM (jsonb_to_recordset(%s::jsonb) AS ({_columns(fields)})) WITH ORDINALITY"
    values = ", ".join(_value(field) for field in fields)
    sql = (
        f"INSERT INTO {_table(model)} ({names}) SELECT {values}"  # noqa: S608 - names of the model's own columns
        f" FROM {source} AS given ORDER BY ordinality RETURNING {key}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [_document(rows, fields)])
        for row, (pk,) in zip(rows, cursor.fetchall(), strict=True):
            row.pk, row._state.adding, row._state.db = pk, False, connection.alias


def update_rows(rows: Sequence[Row], names: Iterable[str]) -> None:
    """Writes the named fields of existing rows of one model, one statement; what has no row is passed over."""
    if not rows:
        return
    model, wanted = type(rows[0]), [*names]
    if connection.vendor != "postgresql":
        model._default_manager.bulk_update(rows, wanted)
        return
    fields: list[Field] = [model._meta.get_field(name) for name in wanted]  # type: ignore[misc]
    given, key = [_key(model), *fields], _quoted(_key(model))
    changes = ", ".join(f"{_quoted(field)} = {_value(field)}" for field in fields)
    sql = (
        f"UPDATE {_table(model)} AS kept SET {changes}"  # noqa: S608 - names of the model's own columns
        f" FROM jsonb_to_recordset(%s::jsonb) AS given ({_columns(given)}) WHERE kept.{key} = given.{key}"
    )
    with connection.cursor() as cursor:
        cursor.execute(sql, [_document(rows, given)])


def _key(model: type[models.Model]) -> Field:
    key: Field = model._meta.pk
    return key


def _table(model: type[models.Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _quoted(field: Field) -> str:
    return connection.ops.quote_name(str(field.column))


def _is_binary(field: Field) -> bool:
    return field.get_internal_type() == "BinaryField"


def _columns(fields: Sequence[Field]) -> str:
    """Columns and types of the document; no lengths, so that too long a text is refused as ever, not cut."""
    return ", ".join(f"{_quoted(field)} {'text' if _is_binary(field) else _type(field)}" for field in fields)


def _type(field: Field) -> str:
    return str(field.rel_db_type(connection) if field.primary_key else field.db_type(connection)).partition("(")[0]


def _value(field: Field) -> str:
    return f"decode(given.{_quoted(field)}, 'hex')" if _is_binary(field) else f"given.{_quoted(field)}"


def _document(rows: Sequence[models.Model], fields: Sequence[Field]) -> str:
    names = [(field.attname, field.column) for field in fields]
    return json.dumps([{column: getattr(row, attname) for attname, column in names} for row in rows], default=_plain)


def _plain(value: object) -> str:
    """An instant to the microsecond, bytes as hexadecimal digits."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return value.hex()
    raise TypeError(f"A {type(value).__name__} cannot travel in a document of rows.")
