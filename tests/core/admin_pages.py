"""Walking the admin as a browser does: addresses, and what a page's form would send."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Model
from django.forms import BaseForm
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from tests.factories import make_person


def admin_client(**fields: Any) -> tuple[Client, User]:
    """A logged-in superuser's browser, and the superuser."""
    person = make_person("ada", **{"is_staff": True, "is_superuser": True, **fields})
    client = Client()
    client.force_login(person)
    return client, person


def address(model: type[Model], page: str, *args: object) -> str:
    """The address of a model's `changelist`, `add` or `change` page."""
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def filled_in(response: HttpResponse, **changes: Any) -> dict[str, Any]:
    """What the page's form sends if only `changes` are typed in."""
    values = _values(response.context["adminform"].form)
    for inline in response.context["inline_admin_formsets"]:
        for form in (inline.formset.management_form, *inline.formset.initial_forms):
            values |= _values(form)
    return values | changes


def _values(form: BaseForm) -> dict[str, Any]:
    sent = {bound.html_name: _sent(bound.value()) for bound in form}
    return {name: value for name, value in sent.items() if value is not None}


def _sent(value: Any) -> Any:
    if isinstance(value, Model):
        return value.pk
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_sent(one) for one in value]
    return None if value is False else value


def said(response: HttpResponse) -> list[str]:
    """The messages on the page that an answer leads to."""
    return [str(message) for message in response.context["messages"]]


def errors_of(response: HttpResponse) -> dict[str, list[str]]:
    """The errors beside the fields of the page's form."""
    return {field: list(messages) for field, messages in response.context["adminform"].form.errors.items()}
