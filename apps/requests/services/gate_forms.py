"""What the forms say about a workflow: the shapes its guards are checked against, and fields that two forms dispute."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from apps.requests.forms import Form
from apps.requests.models import CatalogItem, FormVersion
from apps.workflows.engine.guard_types import ANYTHING, FieldShape, Shape, said
from apps.workflows.engine.problems import Problem

Document = Mapping[str, Any]
Fields = Mapping[str, FieldShape]
NO_FIELDS: Fields = MappingProxyType({})


def shapes_for(workflow_key: str, *, writes: Fields = NO_FIELDS) -> tuple[Shape, ...]:
    """A shape per active item whose rules may select the workflow, named by the item's slug, in order of slug.

    It holds the newest version of the item's form, and the fields that the document writes (`extra_fields`) where the
    form has none of that name. Empty if no item selects the workflow: then nothing is known of `request.data`.
    """
    chosen = CatalogItem.objects.filter(active=True, rules__workflow__key=workflow_key)
    items = list(chosen.order_by("slug").distinct())
    forms = _newest_forms({item.form_key for item in items})
    return tuple(Shape(name=item.slug, fields={**writes, **forms.get(item.form_key, NO_FIELDS)}) for item in items)


def form_for(key: str) -> Shape | None:
    """The shape of a task's form, the newest version of the key; None if there is no such form."""
    fields = _newest_forms({key}).get(key)
    return None if fields is None else Shape(name=key, fields=fields)


def extra_fields(document: Document) -> dict[str, FieldShape]:
    """The fields of `request.data` that the document itself writes, of any type and never certain to be there.

    They are those of `set_fields`, of messages (`into`), of the forms of its tasks and of what child runs give back.
    """
    forms = _forms_of_tasks(document)
    names = [name for step in document["steps"] for name in (*_written_by(step), *forms.get(step.get("form"), ()))]
    return dict.fromkeys(names, FieldShape())


def same_name_other_type(document: Document, shapes: Iterable[Shape]) -> tuple[Problem, ...]:
    """Fields that a task's form or a message writes although an item's form, or an earlier task's, has them otherwise.

    A message's payload has no known type, so it needs a field of its own.
    """
    forms = _forms_of_tasks(document)
    known = list(shapes)
    problems: list[Problem] = []
    for step in document["steps"]:
        if step.get("form") in forms:
            form = Shape(name=step["form"], fields=forms[step["form"]])
            problems += _disputes(step, form, known)
            known.append(form)
        problems += _overwritten(step, known)
    return tuple(dict.fromkeys(problems))


def _forms_of_tasks(document: Document) -> dict[str, Fields]:
    return _newest_forms({step["form"] for step in document["steps"] if step.get("form")})


def _newest_forms(keys: Iterable[str]) -> dict[str, Fields]:
    rows = FormVersion.objects.filter(key__in=keys).order_by("key", "n")
    return {row.key: Form.from_document(row.document).guard_fields() for row in rows}


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
