"""Base models without domain words."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any, Self

from django.db import IntegrityError, models

from apps.core import clock
from apps.core.errors import Conflict


def canonical_json(value: Any) -> bytes:
    """One byte string per JSON value: sorted keys, no spaces, UTF-8. What hashes are taken over.

    A number without fraction is written as an integer with the digits it was given in, as jsonb reads 1e22 and -0.0.
    """
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key if isinstance(key, str) else json.dumps(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return int(Decimal(repr(value))) if isinstance(value, float) and value.is_integer() else value


def digest(value: Any) -> str:
    """SHA-256 of the canonical JSON, in hex (64 characters)."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


class KeyedVersionQuerySet(models.QuerySet["KeyedVersion"]):
    def current(self, key: str) -> Any:
        """The newest version of a key, or None."""
        return self.filter(key=key).order_by("-n").first()


class KeyedVersion(models.Model):
    """An immutable version of a configuration document: forms, SLA policies, calendars, approval policies.

    `(key, n)` names it for ever, so process caches by id are never stale. Saving a changed row is refused.
    """

    key = models.SlugField(max_length=80)
    n = models.PositiveIntegerField()
    document = models.JSONField()
    hash = models.CharField(max_length=64)
    created_at = models.DateTimeField(default=clock.now)
    created_by = models.CharField(max_length=64, blank=True)  # a plain value (`user:7`): people stand above

    objects = KeyedVersionQuerySet.as_manager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.key} v{self.n}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError(f"{self} is immutable; freeze a new version instead")
        super().save(*args, **kwargs)

    @classmethod
    def freeze(cls, key: str, document: dict[str, Any], *, created_by: str = "") -> Self:
        """The newest version if it already says the same, else a new one. The caller has checked the document."""
        manager: Any = cls._default_manager
        newest: Self | None = manager.current(key)
        if newest is not None and newest.hash == digest(document):
            return newest
        n = 1 if newest is None else newest.n + 1
        row = cls(key=key, n=n, document=document, hash=digest(document), created_by=created_by)
        try:
            row.save(force_insert=True)
        except IntegrityError as error:
            raise Conflict(f"Somebody else has just made version {n} of {key}.") from error
        return row
