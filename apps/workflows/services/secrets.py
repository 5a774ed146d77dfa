"""Secrets: written by staff, named by documents, opened only by the call that needs them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import transaction

from apps.accounts.models import User
from apps.core import clock
from apps.core.crypto import SealBroken, data_ring, open_sealed, seal
from apps.core.errors import InvalidInput, Misconfigured
from apps.core.locks import lock_rows
from apps.core.text import is_blank, text_problem
from apps.outbox.publish import SYSTEM
from apps.workflows.models import Secret

LONGEST_NAME = 80
LONGEST_VALUE = 4096
BATCH = 100


@transaction.atomic
def set_secret(name: str, *, value: str, actor: User | None) -> Secret:
    """Makes or replaces the secret of this name; who made it first stays. Its next use takes the new value.

    The change log notes that it changed, not what it is. Raises InvalidInput for a name that is no slug of at most 80
    characters and for a value that is empty, longer than 4,096 characters or has blanks around it.
    """
    if problems := secret_problems(name, value):
        raise InvalidInput(problems)
    sealed, now = seal(value.encode(), place=_place(name)), clock.now()
    secret, _ = Secret.objects.update_or_create(
        name=name,
        defaults={"sealed": sealed, "changed_at": now},
        create_defaults={
            "sealed": sealed, "created_at": now, "changed_at": now,
            "created_by": f"user:{actor.pk}" if actor else SYSTEM,
        },
    )  # fmt: skip
    return secret


def reveal(name: str) -> bytes:
    """The secret itself, for the call that needs it: never to be stored, logged or shown.

    Raises Misconfigured if there is none of this name or its key is missing, SealBroken if its row was tampered with.
    """
    secret = Secret.objects.filter(name=name).first()
    if secret is None:
        raise Misconfigured(f"There is no secret named {name!r}; an administrator adds it under Workflows, Secrets.")
    return open_sealed(secret.sealed, place=_place(name))


@dataclass(frozen=True, kw_only=True)
class Resealed:
    """What became of a batch: how many were sealed anew, how many had the newest key, and which cannot be opened."""

    sealed: int
    kept: int
    broken: tuple[tuple[str, str], ...]


def reseal_secrets(*, batch: int = BATCH) -> Iterator[Resealed]:
    """Seals every secret under the current key of DATA_KEYS that another key seals, a batch per transaction.

    The rows of a batch are locked and read again, so a value that somebody is replacing is never written over: who
    comes second waits. The value stays the same, so neither `changed_at` nor the change log is touched. One that
    cannot be opened is left as it is and named. A second run finds nothing to do; one that was broken off goes on.
    """
    last = 0
    while ids := list(Secret.objects.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:batch]):
        yield _reseal(ids)
        last = ids[-1]


@transaction.atomic
def _reseal(ids: list[int]) -> Resealed:
    current = data_ring().current
    rows = lock_rows(Secret.objects.filter(pk__in=ids))
    waiting = [row for row in rows if _key_of(row.sealed) != current]
    anew, broken = [], []
    for row in waiting:
        try:
            row.sealed = seal(open_sealed(row.sealed, place=_place(row.name)), place=_place(row.name))
        except (Misconfigured, SealBroken) as error:
            broken.append((row.name, error.detail))
        else:
            anew.append(row)
    Secret.objects.bulk_update(anew, ["sealed"])
    return Resealed(sealed=len(anew), kept=len(rows) - len(waiting), broken=tuple(broken))


def sealing_keys() -> frozenset[str]:
    """The ids of the keys that a stored secret still needs."""
    return frozenset(_key_of(sealed) for sealed in Secret.objects.values_list("sealed", flat=True).iterator())


def _key_of(sealed: str) -> str:
    return sealed.partition(":")[0]


def secret_names() -> frozenset[str]:
    """The names that documents may use."""
    return frozenset(Secret.objects.values_list("name", flat=True))


def secret_problems(name: str, value: str) -> dict[str, list[str]]:
    """What is wrong with a name and a value, per field; the value itself is not repeated."""
    found = {"name": _name_problem(name), "value": _value_problem(value)}
    return {field: [problem] for field, problem in found.items() if problem}


def _place(name: str) -> bytes:
    return f"workflows.secret:{name}".encode()


def _name_problem(name: str) -> str | None:
    try:
        validate_slug(name)
    except ValidationError:
        return "A name consists of letters, digits, hyphens and underscores."
    return text_problem(name, max_length=LONGEST_NAME)


def _value_problem(value: str) -> str | None:
    if is_blank(value):
        return "This is required."
    if value != value.strip():
        return "There are blanks or line breaks around this; they would be part of the secret."
    return text_problem(value, max_length=LONGEST_VALUE)
