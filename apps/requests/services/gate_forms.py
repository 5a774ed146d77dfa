"""What the forms say about a workflow: the shapes its guards are checked against, and fields that two forms dispute."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from apps.requests.forms import Form
from apps.requests.models import FormVersion, SelectionRule
from apps.workflows.engine.guard_types import ANYTHING, FieldShape, Shape, said
from apps.workflows.engine.problems import Problem

Document = Mapping[str, Any]
Fields = Mapping[str, FieldShape]
NO_FIELDS: Fields = MappingProxyType({})


class Forms:
    """The newest version of every form, each read once; `instead` are documents that stand for their key's newest."""

    def __init__(self, instead: Mapping[str, Document] = MappingProxyType({})) -> None:
        self._known = {key: _fields_of(document) for key, document in instead.items()}
        self._looked_up = set(instead)

    def fields(self, keys: Iterable[str]) -> dict[str, Fields]:
        """By the key of each form that exists: the names that guards see of it."""
        wanted = set(keys)
        if missing := wanted - self._looked_up:
            rows = FormVersion.objects.filter(key__in=missing).order_by("key", "n")
            newest = {row.key: row.document for row in rows}
            self._known |= {key: _fields_of(document) for key, document in newest.items()}
            self._looked_up |= missing
        return {key: self._known[key] for key in sorted(wanted & self._known.keys())}


class NoForms(Forms):
    """Where there is no database to ask."""

    def fields(self, keys: Iterable[str]) -> dict[str, Fields]:
        return {}


def shapes_for(workflow_key: str, *, roots: Mapping[str, Fields] | None = None, forms: Forms) -> tuple[Shape, ...]:
    """A shape per active item whose rules may lead to the workflow, named by the item's slug, in order of slug.

    `roots`: the workflows in whose runs it takes place, itself or one that calls it, each with the fields that all
    workflows of such a run write to the request; only itself by default. A shape holds the newest version of the
    item's form, and those fields where the form has none of that name. Empty if no item selects any: then nothing is
    known of `request.data`.
    """
    written = {workflow_key: NO_FIELDS} if roots is None else roots
    rules = SelectionRule.objects.filter(item__active=True, workflow__key__in=written)
    found = sorted(set(rules.values_list("item__slug", "item__form_key", "workflow__key")))
    fields = forms.fields(form_key for _, form_key, _ in found)
    return tuple(
        Shape(
            name=slug if root == workflow_key else f"{slug} by way of {root!r}",
            fields={**written[root], **fields.get(form_key, NO_FIELDS)},
        )
        for slug, form_key, root in found
    )


def form_for(key: str, forms: Forms) -> Shape | None:
    """The shape of a task's form, the newest version of the key; None if there is no such form."""
    fields = forms.fields({key}).get(key)
    return None if fields is None else Shape(name=key, fields=fields)


def extra_fields(steps: Iterable[Document], forms: Forms) -> dict[str, FieldShape]:
    """The fields of `request.data` that steps write by themselves, of any type and never certain to be there.

    They are those of `set_fields`, of messages (`into`), of the forms of tasks and of what child runs give back.
    """
    steps = list(steps)
    asked = _forms_of_tasks(steps, forms)
    names = [name for step in steps for name in (*_written_by(step), *asked.get(step.get("form", ""), ()))]
    return dict.fromkeys(names, FieldShape())


def same_name_other_type(steps: Iterable[Document], shapes: Iterable[Shape], forms: Forms) -> tuple[Problem, ...]:
    """Fields that a task's form or a message writes although an item's form, or an earlier task's, has them otherwise.

    A message's payload has no known type, so it needs a field of its own.
    """
    steps = list(steps)
    asked = _forms_of_tasks(steps, forms)
    known = list(shapes)
    problems: list[Problem] = []
    for step in steps:
        if step.get("form") in asked:
            form = Shape(name=step["form"], fields=asked[step["form"]])
            problems += _disputes(step, form, known)
            known.append(form)
        problems += _overwritten(step, known)
    return tuple(dict.fromkeys(problems))


def _forms_of_tasks(steps: Iterable[Document], forms: Forms) -> dict[str, Fields]:
    return forms.fields(step["form"] for step in steps if step.get("form"))


def _fields_of(document: Document) -> Fields:
    return Form.from_document(document).guard_fields()


def _written_by(step: Document) -> Iterator[str]:
    yield from step.get("with", {}).get("fields", {})
    yield from step.get("output", {})
    if "into" in step.get("for", {}):
        yield step["for"]["into"]


def _disputes(step: Document, form: Shape, known: Iterable[Shape]) -> Iterator[Problem]:
    for name, field in form.fields.items():
        for shape in known:
            other = shape.fields.get(name, FieldShape()).types
            if ANYTHING not in (other, field.types) and other != field.types:
                yield _problem(
                    step,
                    f"the form {form.name!r} writes {name!r} as {said(field.types)}, but in {shape.name!r} it is"
                    f" {said(other)}. Give it another name.",
                )


def _overwritten(step: Document, known: Iterable[Shape]) -> Iterator[Problem]:
    into = step.get("for", {}).get("into")
    for shape in known:
        types = shape.fields.get(into, FieldShape()).types
        if types != ANYTHING:
            yield _problem(
                step,
                f"the message is kept in {into!r}, which in {shape.name!r} is {said(types)}; a message may hold"
                " anything. Give it a field of its own.",
            )


def _problem(step: Document, text: str) -> Problem:
    return Problem(code="other_type", message=f"Step {step['id']!r}: {text}", step=step["id"])
