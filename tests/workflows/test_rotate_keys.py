from __future__ import annotations

import base64
from io import StringIO

import pytest
from auditlog.models import LogEntry
from django.core.management import CommandError, call_command
from django.db import transaction

from apps.workflows.models import Secret
from apps.workflows.services.secrets import reseal_secrets, reveal, sealing_keys, set_secret
from tests.races import PATIENCE_S, beside

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]

OLD, NEW = (f"{name}:{base64.b64encode(letter * 32).decode()}" for name, letter in (("2025", b"o"), ("2026", b"n")))


@pytest.fixture
def three(settings) -> list[str]:
    """Three secrets under the old key; the new one is there, and seals from now on."""
    settings.DATA_KEYS = OLD
    names = ["a", "b", "c"]
    for name in names:
        set_secret(name, value=f"value of {name}", actor=None)
    settings.DATA_KEYS = f"{OLD},{NEW}"
    return names


def rotate(*args: str) -> list[str]:
    out = StringIO()
    call_command("rotate_keys", *args, stdout=out, stderr=StringIO())
    return out.getvalue().splitlines()


def rows() -> list[tuple[object, ...]]:
    return list(Secret.objects.order_by("pk").values_list("name", "sealed", "changed_at", "created_by"))


def test_every_secret_is_sealed_anew_and_opens_without_the_old_key(three, settings):
    before = [row[2:] for row in rows()]
    told = LogEntry.objects.count()
    assert rotate() == [
        "3 sealed anew under the key '2026', 0 were already.",
        "The key '2025' seals no stored secret any more.",
    ]
    settings.DATA_KEYS = NEW
    assert [reveal(name) for name in three] == [f"value of {name}".encode() for name in three]
    assert ([row[2:] for row in rows()], LogEntry.objects.count()) == (before, told)


def test_a_second_run_writes_nothing(three):
    rotate()
    before = rows()
    assert rotate()[0] == "0 sealed anew under the key '2026', 3 were already."
    assert rows() == before


def test_without_secrets_there_is_nothing_to_do(settings):
    settings.DATA_KEYS = NEW
    assert rotate() == ["0 sealed anew under the key '2026', 0 were already."]


def test_what_a_broken_off_run_has_done_stays_done(three):
    batches = reseal_secrets(batch=1)
    assert next(batches).sealed == 1
    batches.close()
    assert sealing_keys() == {"2025", "2026"}
    assert rotate("--batch", "2")[0] == "2 sealed anew under the key '2026', 1 were already."
    assert sealing_keys() == {"2026"}


def test_a_secret_that_does_not_open_is_named_and_left_and_the_others_are_sealed(three):
    Secret.objects.filter(name="b").update(sealed="2024:AAAA")
    Secret.objects.filter(name="c").update(sealed="2025:AAAA")
    out = StringIO()
    with pytest.raises(CommandError) as refused:
        call_command("rotate_keys", stdout=out, stderr=StringIO())
    assert str(refused.value).splitlines() == [
        "2 could not be opened and are as they were:",
        "b: DATA_KEYS: the key '2024', which sealed a stored value, is missing; add it again",
        "c: A sealed value was changed or moved since it was written; it has to be entered again.",
    ]
    assert out.getvalue().splitlines() == ["1 sealed anew under the key '2026', 0 were already."]
    assert [row[1] for row in rows()][1:] == ["2024:AAAA", "2025:AAAA"]


@pytest.mark.parametrize("text", ["0", "-1", "x", "10001"])
def test_a_batch_is_a_number_of_secrets(three, text):
    with pytest.raises(CommandError, match="a whole number from 1 to 10,000"):
        call_command("rotate_keys", f"--batch={text}", stdout=StringIO(), stderr=StringIO())
    assert sealing_keys() == {"2025"}


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_value_that_somebody_is_replacing_is_not_written_over(three):
    done: list[str] = []
    with transaction.atomic():
        set_secret("b", value="another", actor=None)
        other = beside(lambda: done.extend(rotate()))
        other.join(0.5)
        assert other.is_alive()
    other.join(PATIENCE_S)
    assert [reveal(name) for name in three] == [b"value of a", b"another", b"value of c"]
    assert done[0] == "2 sealed anew under the key '2026', 1 were already."
