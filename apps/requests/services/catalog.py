"""Making what the catalogue offers: calendars, workflows, items with their forms and targets.

For fixtures and imports, from documents. What is there already is left as it is, so doing it twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from apps.accounts.models.user import check_zone
from apps.accounts.services import ensure_role
from apps.calendars.models import BusinessCalendar, CalendarVersion
from apps.calendars.services import freeze_calendar
from apps.core.errors import BrokenDocument, Conflict, InvalidInput
from apps.core.models import digest
from apps.requests.forms import check_form
from apps.requests.models import CatalogItem, FormVersion, SelectionRule
from apps.requests.services.gate import publish_workflow
from apps.sla.models import SlaPolicyVersion
from apps.sla.targets import check_policy
from apps.workflows.models import Workflow
from apps.workflows.selectors import published_version
from apps.workflows.services.drafting import create_workflow, save_draft

Document = Mapping[str, Any]
PLAIN = ("slug", "name", "summary", "category", "icon", "time_zone", "reopen_days", "position")


@transaction.atomic
def ensure_calendar(entry: Document) -> None:
    """A business calendar, frozen, unless its key is known: `{"key", "name", "time_zone", "week", "country"?,
    "holidays"? (date -> name), "from_year"?}`. Holidays of the country are known from that year on, else for ten years
    back. Raises InvalidInput under `calendar/...`.
    """
    if CalendarVersion.objects.filter(key=entry["key"]).exists():
        return
    fields = {key: entry[key] for key in ("key", "name", "time_zone", "week", "country") if key in entry}
    with _placed("calendar"):
        calendar = BusinessCalendar(**fields)
        calendar.full_clean()
        calendar.save()
        for day, name in entry.get("holidays", {}).items():
            calendar.holidays.create(date=_day(day), name=name)
        freeze_calendar(calendar, from_year=entry.get("from_year"))


@transaction.atomic
def ensure_workflow(document: Document) -> Workflow:
    """The workflow of the document, published through the gate unless it is already, with this very document.

    Raises BrokenDocument with the gate's problems, Conflict if the workflow is there with another document: what is
    live, or being drawn, is never replaced from here.
    """
    key = document.get("workflow")
    workflow = Workflow.objects.filter(key=key).first() if isinstance(key, str) else None
    if workflow is None:
        workflow = _drafted(document)
        publish_workflow(workflow, actor=None)
        return workflow
    version = published_version(workflow.pk)
    if version is None or version.hash != digest(document):
        raise Conflict(
            f"There is a workflow {key!r} already, with another document. "
            "Publish this one in the staff pages first, or give it another key."
        )
    return workflow


@transaction.atomic
def ensure_item(entry: Document) -> CatalogItem:
    """The catalogue item of that slug, made with everything it needs if it is not there.

    `entry`: slug, name, rules (`{"name", "guard", "workflow"}`) and what else CatalogItem has; `form` and `sla` are
    documents, frozen under `form_key` and `sla_key` (the slug where they are not named); `calendar` is one for
    `ensure_calendar`; `audience` are roles, made where they are missing. Raises InvalidInput with the problems by path.
    """
    known = CatalogItem.objects.filter(slug=entry["slug"]).first()
    if known is not None:
        return known
    if "calendar" in entry:
        ensure_calendar(entry["calendar"])
    freeze_form(entry.get("form_key", entry["slug"]), entry.get("form"))
    freeze_targets(entry.get("sla_key", entry["slug"]), entry.get("sla"))
    with _placed("item"):
        check_zone(entry.get("time_zone", "UTC"))
        item = _item(entry)
        item.full_clean()
        item.save()
    item.audience.set([ensure_role(name) for name in entry.get("audience", ())])
    for order, rule in enumerate(entry["rules"], 1):
        _rule(item, order, rule)
    return item


def freeze_form(key: str, document: Document | None) -> None:
    """The form's next version, if a document is given. Raises BrokenDocument with its problems."""
    if document is not None:
        _refuse("form", check_form(document))
        FormVersion.freeze(key, dict(document))


def freeze_targets(key: str, document: Document | None) -> None:
    """The SLA policy's next version, if a document is given. Raises BrokenDocument with its problems."""
    if document is not None:
        _refuse("sla", check_policy(document))
        SlaPolicyVersion.freeze(key, dict(document))


def _drafted(document: Document) -> Workflow:
    key, name = document.get("workflow"), document.get("name")
    if not isinstance(key, str) or not isinstance(name, str):
        raise BrokenDocument({"workflow": ["A workflow document says its key in “workflow”, and its name."]})
    with _placed("workflow"):
        Workflow(key=key, name=name).clean_fields(exclude=["stream"])
    workflow = create_workflow(key, name=name)
    save_draft(workflow, document=dict(document), actor=None)
    return workflow


def _item(entry: Document) -> CatalogItem:
    fields = {key: entry[key] for key in PLAIN if key in entry}
    if "archive_after_seconds" in entry:
        fields["archive_after"] = timedelta(seconds=entry["archive_after_seconds"])
    sla_key = entry.get("sla_key", entry["slug"] if "sla" in entry else "")
    return CatalogItem(form_key=entry.get("form_key", entry["slug"]), sla_key=sla_key, **fields)


def _rule(item: CatalogItem, order: int, rule: Document) -> None:
    place = f"item/rules/{order - 1}"
    workflow = Workflow.objects.filter(key=rule["workflow"]).first()
    if workflow is None:
        raise InvalidInput({f"{place}/workflow": [f"There is no workflow {rule['workflow']!r}."]})
    with _placed(place):
        row = SelectionRule(item=item, order=order, name=rule["name"], guard=rule.get("guard", ""), workflow=workflow)
        row.full_clean()
        row.save()


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput({f"holidays/{text}": ["This must be a date such as 2026-01-31."]}) from error


def _refuse(place: str, problems: Mapping[str, list[str]]) -> None:
    if problems:
        raise BrokenDocument({f"{place}/{key}": messages for key, messages in problems.items()})


@contextmanager
def _placed(place: str) -> Iterator[None]:
    """What a model or a document refuses, as InvalidInput under the place."""
    try:
        yield
    except ValidationError as error:
        by_field = error.message_dict if hasattr(error, "error_dict") else {"time_zone": error.messages}
        raise InvalidInput({f"{place}/{key}": messages for key, messages in by_field.items()}) from error
    except InvalidInput as error:
        raise InvalidInput({f"{place}/{key}": messages for key, messages in error.errors.items()}) from error
