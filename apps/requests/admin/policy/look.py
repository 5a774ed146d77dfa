"""The look at a policy before it is published: the sample request that is chosen, in the words of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from apps.accounts.models import User
from apps.approvals.documents import parse_policy
from apps.approvals.selectors import Concerned
from apps.core import clock
from apps.core.admin_parts import problem_lines, read_document
from apps.core.errors import InvalidInput
from apps.requests.models import CatalogItem, Request
from apps.requests.selectors import visible_requests
from apps.requests.services.policy_preview import (
    LevelPreview,
    Touched,
    concerned_by,
    concerned_in,
    touched_workflows,
    who_would_be_asked,
)
from apps.requests.services.trial_sample import read_sample

MOST_SAMPLES = 30
OWN = "own"


@dataclass(frozen=True, kw_only=True)
class Look:
    """What the page shows: the levels for the sample request, or why there is none; the workflows it touches."""

    form: forms.Form
    touched: Sequence[Touched]
    levels: Sequence[LevelPreview] | None = None
    sample: str = ""
    problems: Sequence[str] = ()


class SampleForm(forms.Form):
    """Which request to try: one that is there, or one that is described."""

    sample = forms.ChoiceField(label="Sample request", required=False, widget=UnfoldAdminSelectWidget)
    item = forms.ChoiceField(label="Item", required=False, widget=UnfoldAdminSelectWidget)
    requester = forms.CharField(
        label="Requester (user name)", required=False, widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"})
    )
    values = forms.CharField(
        label="Values of the form, as JSON",
        required=False,
        help_text='For example {"amount": {"amount": "1500.00", "currency": "EUR"}}',
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, "class": "sf-code", "spellcheck": "false"}),
    )

    def __init__(self, *, recent: Sequence[Request], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fields["sample"].choices = [  # type: ignore[attr-defined]  # a ChoiceField has them
            *((one.number, f"{one} (of {one.requester})") for one in recent),
            (OWN, "another one, described below"),
        ]
        items = CatalogItem.objects.filter(active=True).order_by("name").values_list("slug", "name")
        self.fields["item"].choices = [("", "–"), *items]  # type: ignore[attr-defined]  # as above


def look_at(document: Mapping[str, Any], *, key: str, sent: Mapping[str, str], actor: User) -> Look:
    """The look at a document that the check accepts. The recent requests are those that the actor may see."""
    seen = visible_requests(actor).filter(submitted_at__isnull=False)
    recent = list(seen[:MOST_SAMPLES])
    chosen = sent.get("sample") or _first(recent, key)
    told = {name: sent.get(name, "") for name in ("item", "requester", "values")}
    form = SampleForm(recent=recent, initial={"sample": chosen or OWN, **told})
    touched = touched_workflows(key)
    if not chosen or (chosen == OWN and not told["requester"].strip()):
        lacks = ["Say who asks."] if sent.get("sample") == OWN else []
        return Look(form=form, touched=touched, problems=lacks)
    try:
        people, sample = _sample(chosen, told, recent, actor)
    except InvalidInput as refused:
        return Look(form=form, touched=touched, problems=problem_lines(refused.errors))
    return Look(form=form, touched=touched, sample=sample, levels=who_would_be_asked(parse_policy(document), people))


def _first(recent: Sequence[Request], key: str) -> str:
    """The newest request that runs under the policy, else the newest of all."""
    under = [one for one in recent if key in one.pins.get("policies", {})]
    return next((one.number for one in (*under, *recent)), "")


def _sample(chosen: str, told: Mapping[str, str], recent: Sequence[Request], actor: User) -> tuple[Concerned, str]:
    """Whom the rules start from, and the sample's name. Raises InvalidInput."""
    if chosen != OWN:
        request = next((one for one in recent if one.number == chosen), None)
        if request is None:
            raise InvalidInput({"sample": ["There is no such request among the recent ones."]})
        return concerned_by(request, actor=actor), str(request)
    try:
        data = read_document(told["values"].strip() or "{}")
    except ValidationError as refused:
        raise InvalidInput({"values": refused.messages}) from refused
    given = {"requester": told["requester"].strip(), "data": data}
    given |= {"item": told["item"]} if told["item"] else {}
    found = read_sample(given, actor=None, now=clock.now())
    return concerned_in(found), f"a request of {found.requester}"
