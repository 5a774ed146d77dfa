"""What guards see of a request. Built from the locked row; nothing here writes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from apps.requests.forms import Form
from apps.requests.forms.fields import Field
from apps.requests.models import CatalogItem, FormVersion, Request


@lru_cache(maxsize=512)
def form_of(version_id: int) -> Form:
    """The form of a version: immutable, so cached for ever."""
    return Form.from_document(FormVersion.objects.get(pk=version_id).document)


def current_form(item: CatalogItem) -> FormVersion | None:
    """The newest version of the item's form."""
    version: FormVersion | None = FormVersion.objects.current(item.form_key)
    return version


def fields_of(request: Request) -> dict[str, Field]:
    """Every field that people fill in, by name: of the form the request is pinned to (of a draft the newest one), then
    of the forms of its tasks. Where two forms have a field of one name, the first one's is meant.
    """
    found: dict[str, Field] = {}
    for one in (one for form in _forms_of(request) for one in form.fields):
        found.setdefault(one.name, one)
    return found


def _forms_of(request: Request) -> list[Form]:
    if request.pins:
        return [form_of(pk) for pk in (request.pins["form"], *request.pins.get("forms", {}).values())]
    version = current_form(request.item)
    return [form_of(version.pk)] if version else []


def facts_of(request: Request, form: Form) -> dict[str, Any]:
    """`request.*` and `run.*` for guards; `request.data` through the form, so an empty field is absent."""
    data = form.facts(request.data, ZoneInfo(request.item.time_zone))
    seen = {
        "number": request.number,
        "item": request.item.slug,
        "title": request.title,
        "priority": request.priority,
        "impact": request.impact,
        "urgency": request.urgency,
        "requester": request.requester.username,
        "requested_for": request.requested_for.username,
        "department": request.requested_for.department,
        "created_at": request.created_at,
        "tags": request.tags,
        "data": data,
    }
    return {"request": seen, "run": {"n": request.run.n if request.run else 1}}


def pinned_facts(request: Request) -> dict[str, Any]:
    """The facts of a submitted request, through the form it is pinned to and the forms of its tasks."""
    facts = facts_of(request, form_of(request.pins["form"]))
    for pk in request.pins.get("forms", {}).values():
        form = form_of(pk)
        own = {field.name: request.data[field.name] for field in form.fields if field.name in request.data}
        facts["request"]["data"] |= form.facts(own, ZoneInfo(request.item.time_zone))
    return facts
