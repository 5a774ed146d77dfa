"""The fields of a policy's page: labels, widgets and words. They refuse nothing; the document's check does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django import forms
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from apps.requests.admin.policy.entered import Errors
from apps.requests.admin.policy.rows import Row

RULES = (
    ("any", "one approval decides"),
    ("all", "everybody approves"),
    ("majority", "more than half approve"),
    ("quorum", "a number of approvals"),
    ("percent", "a share of approvals, in per cent"),
    ("per_group", "a number in each sign-off group"),
    ("all_then_any", "everybody answers, one approval is enough"),
)
REJECTS = (
    ("any", "one rejection decides"),
    ("all", "everybody rejects"),
    ("majority", "more than half reject"),
    ("quorum", "a number of rejections"),
    ("percent", "a share of rejections, in per cent"),
    ("per_group", "a number in each sign-off group"),
)
KINDS = (
    ("", "–"),
    ("person", "Person (user name)"),
    ("role", "Role"),
    ("team", "Team (key)"),
    ("manager_of", "Manager of"),
    ("manager_of_team", "Lead of the team (key)"),
    ("field", "Person in the form's field"),
    ("owner_of", "Owner of the item (slug)"),
    ("cel", "CEL expression"),
    ("json", "JSON (a matrix)"),
)
F = TypeVar("F", bound=forms.Form)
EXPERT = "A JSON object with keys that the fields above cannot hold. Nearly always empty."


def _text(label: str, help_text: str = "", **attrs: Any) -> forms.CharField:
    widget = UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", **attrs})
    return forms.CharField(label=label, help_text=help_text, required=False, widget=widget)


def _lines(label: str, help_text: str = "", *, code: bool = False, rows: int = 1) -> forms.CharField:
    attrs = {"rows": rows, "class": "sf-lines sf-code" if code else "sf-lines", "spellcheck": "false"}
    return forms.CharField(
        label=label, help_text=help_text, required=False, widget=UnfoldAdminTextareaWidget(attrs=attrs)
    )


def _choice(label: str, choices: Sequence[tuple[str, str]], help_text: str = "") -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label, choices=choices, help_text=help_text, required=False, widget=UnfoldAdminSelectWidget
    )


def _hidden() -> forms.CharField:
    return forms.CharField(required=False, widget=forms.HiddenInput)


class _Fields(forms.Form):
    """Fields whose names are those of the row, under the prefix, as `levels-0-name`."""

    use_required_attribute = False

    def add_prefix(self, field_name: str) -> str:
        return f"{self.prefix}-{field_name}" if self.prefix else field_name


class PolicyFields(_Fields):
    separation = forms.MultipleChoiceField(
        label="Duties kept apart: who may not answer",
        required=False,
        choices=(
            ("not_requester", "the requester, and the one requested for"),
            ("distinct_levels", "who answered at an earlier level"),
            ("not_last_editor", "who changed the request last"),
            ("distinct_teams", "a colleague of somebody who answered at an earlier level"),
        ),
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    separation_empties = _choice(
        "A seat emptied by that",
        (("skip", "is left out"), ("manager", "goes to the person's manager"), ("incident", "calls an operator")),
    )
    returns = _choice(
        "Sent back for changes",
        (
            ("restart", "all levels are asked again"),
            ("resume", "goes on at the level that asked"),
            ("never", "is not possible"),
        ),
    )
    matters = _lines(
        "Fields that matter", "One name a line. If one of them changed, all levels are asked again.", rows=2
    )
    earlier_answers = _choice(
        "Who approved at an earlier level", (("ask", "is asked again"), ("count", "is not asked again: it counts"))
    )
    expert = _lines("More, as JSON", EXPERT, code=True, rows=2)
    stated, order = _hidden(), _hidden()

    def add_prefix(self, field_name: str) -> str:
        return super().add_prefix("return" if field_name == "returns" else field_name)


class LevelFields(_Fields):
    id = _text("Id", "Short, lower case. Empty: made from the name.", maxlength=80)
    name = _text("Name", "What people read.", maxlength=200)
    when = _lines(
        "Only when (CEL)", "For example request.data.amount > 1000.0. Empty: the level always applies.", code=True
    )
    rule_kind = _choice("Approved when", RULES)
    rule_number = _text("Number, or per cent", inputmode="decimal")
    reject_kind = _choice("Rejected when", REJECTS)
    reject_number = _text("Number, or per cent", inputmode="decimal")
    comment = _choice(
        "A comment is required",
        (("never", "never"), ("on_reject", "with a rejection"), ("on_any", "with every answer")),
    )
    abstain = forms.BooleanField(label="Approvers may abstain", required=False, widget=UnfoldBooleanWidget)
    meaning = _lines(
        "Signed answer: what it means", "If this says something, the password is asked for again with each answer."
    )
    deadline_hours = _text("Business hours", "16, 1.5 or 0:30. Empty: no deadline.", inputmode="decimal")
    deadline_then = _choice(
        "Then",
        (
            ("", "–"),
            ("escalate", "others are asked"),
            ("approve", "it is approved"),
            ("reject", "it is rejected"),
            ("return", "it is sent back"),
            ("expire", "the approval expires"),
        ),
    )
    deadline_remind_at = _text("Remind at, per cent of the time", "For example 50, 80.")
    deadline_calendar = _text("Calendar", "Its key. Empty: that of the item.", maxlength=80)
    expert = _lines("More, as JSON", EXPERT, code=True, rows=2)
    stated = _hidden()


class ApproverFields(_Fields):
    kind = _choice("Who", KINDS)
    value = _lines("Value")
    up = _text("Levels up", inputmode="numeric", size=3)
    group = _text("Group", size=10)


class GroupFields(_Fields):
    id = _text("Group", size=12)
    n = _text("Approvals needed", inputmode="numeric", size=4)
    reject_n = _text("Rejections that decide", inputmode="numeric", size=4)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A list on the page: its rows with one blank row at the end, and the problems of the whole list."""

    name: str
    rows: Sequence[forms.Form]
    problems: Sequence[str]

    @property
    def count(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, kw_only=True)
class LevelPart:
    """A level on the page."""

    name: str
    number: int
    title: str
    fields: LevelFields
    chair: ApproverFields
    approvers: Rows
    to: Rows
    groups: Rows
    problems: Sequence[str]
    is_first: bool
    is_last: bool

    @property
    def has_more(self) -> bool:
        """Whether something stands in the part that is folded away."""
        return any(_says(bound) for bound in (*self._folded(), *self.chair, *(b for row in self.to.rows for b in row)))

    def _folded(self) -> Iterator[Any]:
        names = ("meaning", "expert", *(name for name in self.fields.fields if name.startswith("deadline_")))
        yield from (self.fields[name] for name in names)


def _says(bound: Any) -> bool:
    return bool(bound.value()) or bool(bound.problems)


@dataclass(frozen=True, kw_only=True)
class PolicyPart:
    """Everything on the page."""

    fields: PolicyFields
    fallback: Rows
    levels: Sequence[LevelPart]
    problems: Sequence[str]
    levels_problems: Sequence[str]

    @property
    def count(self) -> int:
        return len(self.levels)


def page_of(rows: Row, errors: Errors) -> PolicyPart:
    """The fields of these rows, each with the problems that are about it; what is about no field stands on top."""
    levels = [_level(number, level, len(rows["levels"]), errors) for number, level in enumerate(rows["levels"])]
    fields = _with(PolicyFields(initial={**rows, "returns": rows["return"]}), errors)
    return PolicyPart(
        fields=fields,
        fallback=_rows("fallback", rows["fallback"], ApproverFields, errors),
        levels=levels,
        problems=errors.get("", ()),
        levels_problems=errors.get("levels", ()),
    )


def _level(number: int, level: Row, count: int, errors: Errors) -> LevelPart:
    name = f"levels-{number}"
    return LevelPart(
        name=name,
        number=number + 1,
        title=level["name"] or level["id"] or "new level",
        fields=_with(LevelFields(prefix=name, initial=level), errors),
        chair=_with(ApproverFields(prefix=f"{name}-chair", initial=level["chair"]), errors),
        approvers=_rows(f"{name}-approvers", level["approvers"], ApproverFields, errors),
        to=_rows(f"{name}-to", level["to"], ApproverFields, errors),
        groups=_rows(f"{name}-groups", level["groups"], GroupFields, errors),
        problems=errors.get(name, ()),
        is_first=number == 0,
        is_last=number == count - 1,
    )


def _rows(name: str, rows: Sequence[Row], form: type[_Fields], errors: Errors) -> Rows:
    shown = [_with(form(prefix=f"{name}-{k}", initial=row), errors) for k, row in enumerate([*rows, {}])]
    return Rows(name=name, rows=shown, problems=errors.get(name, ()))


def _with(form: F, errors: Mapping[str, Sequence[str]]) -> F:
    for bound in form:
        problems = errors.get(bound.html_name, ())
        bound.problems = problems  # type: ignore[attr-defined]  # read by the template, beside the field
        if problems:
            bound.field.widget.attrs |= {"aria-invalid": "true", "aria-describedby": f"{bound.auto_id}_problem"}
    return form
