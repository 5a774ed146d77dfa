from __future__ import annotations

import importlib
from enum import StrEnum
from pathlib import Path

from django.utils.module_loading import import_string

from apps.notifications.audience import AUDIENCES, PERSON_KINDS
from apps.notifications.render import SUBJECTS
from apps.outbox.subscribers import table
from apps.requests.selectors.sentences import SENTENCES
from serviceflow.wiring import NOTIFICATIONS, SUBSCRIBERS

APPS = Path(__file__).resolve().parent.parent.parent / "apps"


def event_enums() -> list[type[StrEnum]]:
    """Every `*Event` enum of every `apps/*/enums.py`."""
    modules = [importlib.import_module(f"apps.{path.parent.name}.enums") for path in sorted(APPS.glob("*/enums.py"))]
    return [
        value
        for module in modules
        for name, value in vars(module).items()
        if name.endswith("Event") and isinstance(value, type) and issubclass(value, StrEnum)
    ]


def event_types() -> list[str]:
    return [member.value for enum in event_enums() for member in enum]


def test_every_domain_app_says_its_events_in_an_enum():
    names = {enum.__name__ for enum in event_enums()}
    assert names >= {"RequestEvent", "WorkflowEvent", "ApprovalEvent", "SlaEvent", "IncidentEvent", "PersonEvent"}


def test_no_two_events_have_the_same_name():
    assert len(event_types()) == len(set(event_types()))


def test_every_event_type_has_an_entry_and_every_entry_is_an_event_type():
    assert set(SUBSCRIBERS.by_type) == set(event_types())


def test_every_entry_names_subscribers_that_exist():
    named = {name for names in SUBSCRIBERS.by_type.values() for name in names}
    assert named - SUBSCRIBERS.subscribers.keys() == set()


def test_every_subscriber_has_a_handler_and_its_own_name():
    for name, subscriber in SUBSCRIBERS.subscribers.items():
        assert subscriber.name == name
        assert callable(import_string(subscriber.handler))


def test_the_running_project_uses_this_table():
    assert table() is SUBSCRIBERS


def test_what_people_are_told_of_has_readers_and_words():
    told = {kind for kind, names in SUBSCRIBERS.by_type.items() if NOTIFICATIONS in names}
    assert told == set(AUDIENCES) | set(PERSON_KINDS)
    assert {audience.kind for audience in AUDIENCES.values()} | set(PERSON_KINDS.values()) == set(SUBJECTS)


def test_the_history_only_knows_events_that_there_are():
    assert SENTENCES.keys() - set(event_types()) == set()
