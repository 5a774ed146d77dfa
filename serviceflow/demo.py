"""The demonstration organisation of `fixtures/`, written through the ordinary services."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction

from apps.accounts.models import Team, User
from apps.accounts.services import create_person, create_team
from apps.core import clock
from apps.requests.eventlog.staging import Staging
from apps.requests.models import CatalogItem, Request
from apps.requests.selectors import tasks_of, waiting_approvals
from apps.requests.services.absences import AbsenceWish, delegate
from apps.requests.services.catalog import (
    ensure_calendar,
    ensure_item,
    ensure_workflow,
    freeze_form,
    freeze_policy,
    freeze_targets,
)
from apps.requests.services.comments import add_comment
from apps.requests.services.decisions import record_decision
from apps.requests.services.importing.run import replay_cases, stage
from apps.requests.services.importing.setting import prepare
from apps.requests.services.lifecycle import Wish, create_request
from apps.requests.services.work import claim_task

Say = Callable[[str], None]
FIXTURES = settings.BASE_DIR / "fixtures"
EMAIL_DOMAIN = "example.org"


def demo_document() -> dict[str, Any]:
    """The organisation as `fixtures/demo.json` describes it."""
    document: dict[str, Any] = json.loads((FIXTURES / "demo.json").read_text())
    return document


@transaction.atomic
def seed(*, say: Say, history: int = 0) -> bool:
    """Writes the organisation and a few requests, all or nothing; False if it is already there.

    `history` is how many cases of the generated log of expense declarations are imported before them.
    """
    if CatalogItem.objects.filter(slug="laptop").exists():
        return False
    document = demo_document()
    say("people and teams")
    people = _people(document)
    _teams(document, people)
    say("the business calendar, forms and SLA targets")
    ensure_calendar(document["calendar"])
    for key, form in document["forms"].items():
        freeze_form(key, form)
    for key, policy in document["sla"].items():
        freeze_targets(key, policy)
    for key, policy in document["policies"].items():
        freeze_policy(key, policy)
    say("workflows")
    for path in sorted((FIXTURES / "workflows").glob("*.json")):
        ensure_workflow(json.loads(path.read_text()))
    say("the catalogue")
    for position, entry in enumerate(document["items"]):
        ensure_item({**entry, "position": position, "sla_key": "standard", "time_zone": "Europe/Amsterdam"})
    if history:
        say(f"the history of {history} expense declarations")
        _history(history)
    say("a few requests")
    _requests(people)
    return True


def _people(document: Mapping[str, Any]) -> dict[str, User]:
    people: dict[str, User] = {}
    for entry in document["people"]:
        fields = {key: value for key, value in entry.items() if key not in ("username", "roles", "manager")}
        people[entry["username"]] = create_person(
            entry["username"],
            password=document["password"],
            roles=entry.get("roles", ()),
            manager=people.get(entry.get("manager", "")),
            email=f"{entry['username']}@{EMAIL_DOMAIN}",
            time_zone=document["calendar"]["time_zone"],
            **fields,
        )
    return people


def _teams(document: Mapping[str, Any], people: Mapping[str, User]) -> list[Team]:
    return [
        create_team(
            entry["key"],
            name=entry["name"],
            lead=people[entry["lead"]],
            members=[people[name] for name in entry["members"]],
        )
        for entry in document["teams"]
    ]


def _history(cases: int) -> None:
    folder = FIXTURES / "history"
    setting = prepare(folder / "declarations.mapping.json")
    with Staging() as staging:
        stage(folder / "declarations.csv.gz", setting, staging, say=print, strict=True)
        for _ in replay_cases(staging, setting, limit=cases, say=print, strict=True):
            pass


def _requests(people: Mapping[str, User]) -> None:
    """Requests in different states, so that every page has something to show."""
    laptop = _ask(people["emil"], "laptop", "Laptop for the trade fair", urgency="high", data={
        "model": "light", "price": {"amount": "1890.00", "currency": "EUR"}, "reason": "Mine is broken."})  # fmt: skip
    _approve(laptop, people["tom"], "He needs it for the fair.")
    travel = _ask(people["sara"], "travel", "Customer visit in Utrecht", data={
        "purpose": "Yearly review with the customer", "trip_date": "2026-11-12",
        "amount": {"amount": "1240.50", "currency": "EUR"}, "kilometres": 84, "companion": "emil"})  # fmt: skip
    add_comment(travel, text="The hotel's receipt follows by post.", actor=people["sara"])
    access = _ask(people["paul"], "access", "Read the data warehouse", data={
        "system": "warehouse", "level": "read", "reason": "Monthly report on travel expenses"})  # fmt: skip
    _approve(access, people["lena"], "")
    newcomer = _ask(people["tom"], "new-employee", "Mila Novak starts in sales", impact="high", data={
        "full_name": "Mila Novak", "start_date": "2027-02-01", "manager": "tom",
        "place": "office", "hours": 36})  # fmt: skip
    claim_task(tasks_of(newcomer).get(), actor=people["nora"])
    _absence(people)


def _absence(people: Mapping[str, User]) -> None:
    """Maya is away: Lena answers for her, for travel declarations up to 5,000 euro, and has one of them to answer."""
    until = (clock.now() + timedelta(days=14)).isoformat()
    wish = AbsenceWish(deputy="lena", ends_at=until, items=["travel"], up_to="5000", currency="EUR")
    delegate(people["maya"], wish)
    _ask(people["tom"], "travel", "Sales meeting in Ghent", data={
        "purpose": "Quarterly meeting of the sales leads", "trip_date": "2026-11-19",
        "amount": {"amount": "412.80", "currency": "EUR"}})  # fmt: skip


def _ask(person: User, slug: str, title: str, **wish: Any) -> Request:
    return create_request(CatalogItem.objects.get(slug=slug), Wish(title=title, **wish), actor=person)


def _approve(request: Request, person: User, comment: str) -> None:
    seat = waiting_approvals(person).get(level__approval__stream_id=request.pk)
    record_decision(seat.level.approval, verdict="approve", comment=comment, actor=person)
