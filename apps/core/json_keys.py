"""Keys of JSON objects in queries, whatever they look like."""

from __future__ import annotations

import json
from typing import Any

from django.db.models.fields.json import KeyTransform


class NamedKey(KeyTransform):
    """A key of a JSON object. Django takes one that reads as a number for a place in a list: always on SQLite, at the
    first level on PostgreSQL.
    """

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> tuple[str, tuple[Any, ...]]:
        column, params, keys = self.preprocess_lhs(compiler, connection)
        path = "".join(["$", *(f".{json.dumps(key)}" for key in keys)])
        return f"JSON_EXTRACT({column}, %s)", (*params, path)

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        column, params, keys = self.preprocess_lhs(compiler, connection)
        return f"({column} #> %s)", (*params, keys)
