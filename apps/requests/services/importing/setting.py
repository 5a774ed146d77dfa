"""What a log is replayed on: its mapping, and everything that the mapping needs, made where it is not there yet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction

from apps.core.errors import BrokenDocument
from apps.core.locks import advisory_lock
from apps.requests.eventlog.mapping import LogMapping, dangling, read_mapping
from apps.requests.models import CatalogItem, SelectionRule
from apps.requests.services.catalog import ensure_calendar, ensure_item, ensure_workflow
from apps.requests.services.importing.people import Company
from apps.workflows.selectors import definition_of, published_version


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a log is replayed on: mapping and item; `broken` are activities whose mapping leads nowhere, with why."""

    mapping: LogMapping
    company: Company
    item: CatalogItem
    broken: Mapping[str, str]


@transaction.atomic
def prepare(path: Path) -> Setting:
    """Reads the mapping, and makes what it needs and is not there yet: roles, teams, calendar, form, workflow, item.

    What is there already is left as it is. All or nothing. Raises BrokenDocument with the problems by place, Conflict
    if the workflow is there with another document.
    """
    mapping = read_mapping(_json_of(path))
    advisory_lock("import.prepare")
    company = Company(mapping=mapping)
    company.gather()
    if not isinstance(mapping.item, str) and "calendar" in mapping.item:
        ensure_calendar(mapping.item["calendar"])  # a wait of the workflow may count in it
    if mapping.workflow is not None:
        _ensure_workflow(mapping.workflow, path.parent)
    item = _item_of(mapping)
    return Setting(mapping=mapping, company=company, item=item, broken=_leads_nowhere(mapping, item))


def _json_of(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BrokenDocument({str(path): [f"It cannot be read: {error.strerror}."]}) from error
    except ValueError as error:
        raise BrokenDocument({str(path): [f"It is no JSON: {error}"]}) from error


def _ensure_workflow(workflow: str | Mapping[str, Any], folder: Path) -> None:
    document = _json_of(folder / workflow) if isinstance(workflow, str) else workflow
    ensure_workflow(document, of_history=True)


def _item_of(mapping: LogMapping) -> CatalogItem:
    if isinstance(mapping.item, str):
        item = CatalogItem.objects.filter(slug=mapping.item).first()
        if item is None:
            known = ", ".join(CatalogItem.objects.values_list("slug", flat=True)) or "none"
            raise BrokenDocument({"item": [f"There is no catalogue item {mapping.item!r}; there are {known}."]})
        return item
    return ensure_item(mapping.item)


def _leads_nowhere(mapping: LogMapping, item: CatalogItem) -> dict[str, str]:
    """Activities whose mapping fits none of the workflows that may carry the item out."""
    rules = SelectionRule.objects.filter(item=item)
    versions = [published_version(pk) for pk in rules.values_list("workflow_id", flat=True).distinct()]
    found = [dangling(mapping, definition_of(version.pk)) for version in versions if version]
    if not found:
        raise BrokenDocument({"item": [f"No published workflow carries {item.slug} out."]})
    return {name: text for name, text in found[0].items() if all(name in other for other in found)}
