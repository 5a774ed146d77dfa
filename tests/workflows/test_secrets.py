from __future__ import annotations

import logging
from datetime import UTC, datetime

import pytest
import time_machine
from auditlog.models import LogEntry
from django.contrib.admin.models import LogEntry as AdminEntry
from django.contrib.auth.models import Permission

from apps.core.crypto import SealBroken
from apps.core.errors import InvalidInput, Misconfigured
from apps.workflows.models import Secret
from apps.workflows.services.secrets import reveal, secret_names, set_secret
from tests.core.admin_pages import address, admin_client, errors_of, filled_in
from tests.factories import make_person

pytestmark = pytest.mark.django_db
VALUE = "whsec_bm9ib2R5IHNoYWxsIGV2ZXIgcmVhZCB0aGlz"
OTHER = "whsec_bm90IHRoaXMgb25lIGVpdGhlcg=="


def test_a_secret_is_stored_sealed_and_revealed_to_who_needs_it():
    ann = make_person("ann")
    secret = set_secret("payments", value=VALUE, actor=ann)
    assert reveal("payments") == VALUE.encode()
    assert (secret.name, secret.created_by) == ("payments", f"user:{ann.pk}")
    assert VALUE not in Secret.objects.get().sealed


def test_a_secret_that_is_replaced_keeps_its_maker_and_its_beginning():
    ann, bob = make_person("ann"), make_person("bob")
    with time_machine.travel("2026-01-01T10:00Z", tick=False):
        set_secret("payments", value=VALUE, actor=ann)
    with time_machine.travel("2026-02-01T10:00Z", tick=False):
        set_secret("payments", value=OTHER, actor=bob)
    secret = Secret.objects.get()
    assert (reveal("payments"), secret.created_by) == (OTHER.encode(), f"user:{ann.pk}")
    assert secret.created_at == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert secret.changed_at == datetime(2026, 2, 1, 10, tzinfo=UTC)


def test_without_a_person_the_maker_is_the_system():
    assert set_secret("payments", value=VALUE, actor=None).created_by == "system"


def test_the_names_are_known_without_opening_anything(settings):
    set_secret("payments", value=VALUE, actor=None)
    set_secret("hr-system", value=OTHER, actor=None)
    settings.SECRET_KEY = "another"
    assert secret_names() == {"payments", "hr-system"}


@pytest.mark.parametrize(
    ("name", "value", "errors"),
    [
        ("", "x", {"name": ["A name consists of letters, digits, hyphens and underscores."]}),
        ("two words", "x", {"name": ["A name consists of letters, digits, hyphens and underscores."]}),
        ("a" * 81, "x", {"name": ["This is too long: 81 characters, at most 80 are accepted."]}),
        ("a", "", {"value": ["This is required."]}),
        ("a", " ", {"value": ["This is required."]}),
        ("a", "x\n", {"value": ["There are blanks or line breaks around this; they would be part of the secret."]}),
        ("a", "x\x00y", {"value": ["Character 2 (U+0000) cannot be stored."]}),
        ("a", "x" * 4097, {"value": ["This is too long: 4,097 characters, at most 4,096 are accepted."]}),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_stored(name, value, errors):
    with pytest.raises(InvalidInput) as refused:
        set_secret(name, value=value, actor=None)
    assert refused.value.errors == errors
    assert not Secret.objects.exists()


def test_a_secret_that_is_not_there_is_named():
    with pytest.raises(Misconfigured) as refused:
        reveal("payments")
    assert str(refused.value) == (
        "There is no secret named 'payments'; an administrator adds it under Workflows, Secrets."
    )


def test_a_sealed_value_that_was_moved_to_another_name_does_not_open():
    mine, theirs = set_secret("mine", value=VALUE, actor=None), set_secret("theirs", value=OTHER, actor=None)
    Secret.objects.filter(pk=mine.pk).update(sealed=theirs.sealed)
    with pytest.raises(SealBroken):
        reveal("mine")


def test_neither_repr_nor_the_change_log_show_a_secret_or_its_seal():
    first = set_secret("payments", value=VALUE, actor=None).sealed
    second = set_secret("payments", value=OTHER, actor=None)
    logged = [entry.changes["sealed"] for entry in LogEntry.objects.get_for_object(second).order_by("pk")]
    assert logged == [["********", "********"]] * 2
    shown = repr(second) + str(second) + repr([entry.__dict__ for entry in LogEntry.objects.all()])
    assert [one for one in (VALUE, OTHER, first, second.sealed) if one in shown] == []


def test_the_admin_takes_a_secret_and_never_shows_it(caplog):
    caplog.set_level(logging.DEBUG)
    client, ada = admin_client()
    client.post(address(Secret, "add"), {"name": "payments", "value": VALUE})
    first = Secret.objects.get()
    assert (reveal("payments"), first.created_by) == (VALUE.encode(), f"user:{ada.pk}")
    page = address(Secret, "change", first.pk)
    answer = client.post(page, filled_in(client.get(page), value=OTHER))
    assert (answer.status_code, reveal("payments")) == (302, OTHER.encode())
    pages = [client.get(one).content.decode() for one in (page, address(Secret, "changelist"), "/admin/")]
    pages += [client.get(address(Secret, "history", first.pk)).content.decode()]
    pages += [client.get(address(LogEntry, "change", entry.pk)).content.decode() for entry in LogEntry.objects.all()]
    noted = repr([entry.__dict__ for entry in AdminEntry.objects.all()]) + caplog.text
    hidden = (VALUE, OTHER, first.sealed, Secret.objects.get().sealed)
    assert [one for one in hidden for shown in (*pages, noted) if one in shown] == []


def test_a_form_that_is_refused_does_not_send_the_value_back():
    client, _ = admin_client()
    answer = client.post(address(Secret, "add"), {"name": "two words", "value": VALUE})
    assert list(errors_of(answer)) == ["name"]
    assert VALUE not in answer.content.decode()
    assert not Secret.objects.exists()


def test_a_value_with_blanks_around_it_is_refused_beside_its_field():
    client, _ = admin_client()
    answer = client.post(address(Secret, "add"), {"name": "payments", "value": f" {VALUE}"})
    assert errors_of(answer) == {
        "value": ["There are blanks or line breaks around this; they would be part of the secret."]
    }
    assert not Secret.objects.exists()


def test_a_name_that_is_taken_is_not_replaced_by_adding():
    set_secret("payments", value=VALUE, actor=None)
    client, _ = admin_client()
    answer = client.post(address(Secret, "add"), {"name": "payments", "value": OTHER})
    assert errors_of(answer) == {"name": ["Secret with this Name already exists."]}
    assert reveal("payments") == VALUE.encode()


def test_a_name_cannot_be_changed_and_a_secret_not_deleted():
    secret = set_secret("payments", value=VALUE, actor=None)
    client, _ = admin_client()
    client.post(address(Secret, "change", secret.pk), {"name": "other", "value": OTHER})
    assert client.post(address(Secret, "delete", secret.pk), {"post": "yes"}).status_code == 403
    assert (secret_names(), reveal("payments")) == ({"payments"}, OTHER.encode())


def test_who_may_only_look_changes_nothing():
    secret = set_secret("payments", value=VALUE, actor=None)
    client, person = admin_client(is_superuser=False)
    person.user_permissions.add(Permission.objects.get(codename="view_secret"))
    page = client.get(address(Secret, "change", secret.pk))
    assert (page.status_code, secret.sealed in page.content.decode()) == (200, False)
    assert client.post(address(Secret, "change", secret.pk), {"value": OTHER}).status_code == 403
    assert reveal("payments") == VALUE.encode()
