"""The document of a workflow (format 1): the schema, the check, the hash, and the way to a compiled definition."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from apps.core.errors import BrokenDocument
from apps.core.text import text_problem
from apps.workflows.engine import structure
from apps.workflows.engine.definition import Definition, Stage, Step, Transition
from apps.workflows.engine.kinds import KINDS
from apps.workflows.engine.kinds.base import Policies
from apps.workflows.engine.kinds.working import outcomes_with_instances
from apps.workflows.engine.problems import Problem, Severity, by_place

FORMAT = 1
SCHEMA: Mapping[str, Any] = json.loads(Path(__file__).with_name("format1.schema.json").read_text(encoding="utf-8"))

DEEPEST = 16
LONGEST_TEXT = 10_000
LARGEST_NUMBER = 2**53
MOST_VALUES = 100_000
MOST_PROBLEMS = 200
_VALIDATOR = Draft202012Validator(SCHEMA)
_NO_SETTINGS = frozenset({"id", "kind", "name", "stage", "outcomes"})
Place = tuple[str | int, ...]


def check_document(document: Any, *, policies: Policies = MappingProxyType({})) -> tuple[Problem, ...]:
    """Everything that is wrong with a document, at most 200 problems; never raises, whatever JSON value it is given.

    `policies` are the approval policies by key that a `policy_ref` may name; one that is not among them is a warning,
    and which outcomes it has is then not known. Bounds (size, nesting, text that can be stored) are checked first, then
    the schema, then the structure: a later one only where the earlier ones found nothing.
    """
    for check in (_check_bounds, _check_schema, _check_ids):
        problems = _first(check(document))
        if problems:
            return problems
    return _first(structure.check(_built(document, policies), policies))


def document_hash(document: Any) -> str:
    """SHA-256, in hex, of the canonical JSON: sorted keys, no spaces, UTF-8."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def compile_document(document: Any, *, policies: Policies = MappingProxyType({})) -> Definition:
    """The definition a run follows. Raises BrokenDocument with the messages per place; warnings do not count."""
    problems = [found for found in check_document(document, policies=policies) if found.severity is Severity.ERROR]
    if problems:
        raise BrokenDocument(by_place(problems))
    return _built(document, policies)


def _first(problems: Iterator[Problem]) -> tuple[Problem, ...]:
    return tuple(dict.fromkeys(islice(problems, MOST_PROBLEMS)))


# bounds


def _check_bounds(document: Any) -> Iterator[Problem]:
    """What no schema says: nesting, the number of values, texts and numbers that can be stored."""
    waiting: list[tuple[Any, Place]] = [(document, ())]
    count = 0
    while waiting:
        value, path = waiting.pop()
        count += 1
        if count > MOST_VALUES:
            yield Problem(code="too_large", message=f"The document holds more than {MOST_VALUES:,} values.")
            return
        text = _value_problem(value, path)
        if text:
            yield Problem(code="bounds", message=f"{_pointer(path) or 'The document'}: {text}", path=_pointer(path))
        elif isinstance(value, dict):
            waiting += [(item, (*path, key)) for key, item in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [(item, (*path, index)) for index, item in reversed(list(enumerate(value)))]


def _value_problem(value: Any, path: Place) -> str | None:
    if len(path) > DEEPEST:
        return f"nested more than {DEEPEST} levels deep."
    if isinstance(value, dict):
        return next((found for key in value if (found := text_problem(key, max_length=200))), None)
    if isinstance(value, str):
        return text_problem(value, max_length=LONGEST_TEXT)
    if isinstance(value, int | float) and not isinstance(value, bool):
        fits = math.isfinite(value) if isinstance(value, float) else True
        return None if fits and abs(value) <= LARGEST_NUMBER else "this number is too large."
    return None if value is None or isinstance(value, list | bool) else f"{type(value).__name__} is no JSON."


def _pointer(path: Place) -> str:
    """The path as people write it: steps/3/with/fields. Texts that cannot be shown are escaped."""
    return "/".join(ascii(str(part))[1:-1][:80] if not str(part).isprintable() else str(part)[:80] for part in path)


# the schema


def _check_schema(document: Any) -> Iterator[Problem]:
    if isinstance(document, dict) and document.get("format", FORMAT) != FORMAT:
        text = f"The format is {FORMAT}; this document says {_shown(document.get('format'))}."
        yield Problem(code="format", message=text, path="format")
        return
    sizes = list(_check_sizes(document))
    yield from sizes or (
        found for error in _VALIDATOR.iter_errors(document) for found in _schema_problems(document, error)
    )


def _check_sizes(document: Any) -> Iterator[Problem]:
    """Lists that are too long: what stands in them is not looked at, which could take long."""
    for group in ("stages", "steps", "transitions"):
        entries, most = (
            document.get(group) if isinstance(document, dict) else None,
            SCHEMA["properties"][group]["maxItems"],
        )
        if isinstance(entries, list) and len(entries) > most:
            yield _problem_at(document, (group,), "too_large", f"it has more than {most} entries.")


def _schema_problems(document: Any, error: ValidationError) -> Iterator[Problem]:
    path: Place = tuple(error.absolute_path)
    code, texts = _EXPLAIN.get(str(error.validator), _explain_other)(error)
    for key, text in texts:
        yield _problem_at(document, (*path, key) if key is not None else path, code, text)


def _problem_at(document: Any, path: Place, code: str, text: str) -> Problem:
    """The problem with the step or transition that its path leads through."""
    where = _pointer(path)
    if len(path) > 1 and path[0] == "transitions" and isinstance(path[1], int):
        return Problem(code=code, message=f"Transition {path[1]}: {text}", transition=path[1], path=where)
    if len(path) > 1 and path[0] == "steps" and isinstance(path[1], int):
        step = document["steps"][path[1]]
        name = step.get("id") if isinstance(step, dict) else None
        if isinstance(name, str) and name:
            return Problem(code=code, message=f"Step {name!r}: {text}", step=name, path=where)
    return Problem(code=code, message=f"{where or 'The document'}: {text}", path=where)


Explained = tuple[str, list[tuple[str | None, str]]]


def _explain_unknown(error: ValidationError) -> Explained:
    known = error.schema["properties"]
    unknown = [key for key in error.instance if key not in known]
    return "unknown_key", [(key, f"unknown key {key!r}{_within(error)}.") for key in unknown]


def _explain_missing(error: ValidationError) -> Explained:
    missing = [key for key in error.validator_value if key not in error.instance]
    wanted = [key for key in missing if error.message.startswith(repr(key))]
    return "missing_key", [(None, f"{key!r} is missing{_within(error)}.") for key in wanted]


def _explain_choice(error: ValidationError) -> Explained:
    known = ", ".join(_shown(value) for value in error.validator_value)
    return "value", [(None, f"{_named(error)} is {_shown(error.instance)}; it can be {known}.")]


def _explain_other(error: ValidationError) -> Explained:
    return _CODES.get(str(error.validator), "value"), [(None, f"{_named(error)} {_demand(error)}.")]


_EXPLAIN: Mapping[str, Callable[[ValidationError], Explained]] = {
    "additionalProperties": _explain_unknown,
    "required": _explain_missing,
    "enum": _explain_choice,
}
_CODES = {"type": "type", "maxItems": "too_large", "maxLength": "too_large", "maxProperties": "too_large"}
_DEMANDS: Mapping[str, str] = {
    "const": "can only be {0}",
    "type": "must be {0}",
    "minLength": "must not be empty",
    "maxLength": "has more than {0} characters",
    "minItems": "needs at least {0}",
    "maxItems": "has more than {0} entries",
    "minProperties": "needs at least {0} key",
    "maxProperties": "has more than {0} key(s)",
    "minimum": "must be at least {0}",
    "maximum": "must be at most {0}",
    "exclusiveMinimum": "must be more than {0}",
    "pattern": "holds letters, digits and _ only (ids also . and -) and begins with a letter (ids also with a digit)",
    "dependentRequired": "has a key that needs another: {0}",
}


def _demand(error: ValidationError) -> str:
    if error.validator == "anyOf":
        return f"must be {error.schema['description']}"
    return _DEMANDS.get(str(error.validator), "does not fit").format(_shown(error.validator_value))


def _named(error: ValidationError) -> str:
    """The key that is wrong, without the part of the path that names the step."""
    path = list(error.absolute_path)
    rest = path[2:] if path[:1] in (["steps"], ["transitions"]) else path
    return repr(_pointer(tuple(rest))) if rest else "it"


def _within(error: ValidationError) -> str:
    name = _named(error)
    return "" if name == "it" else f" in {name}"


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 60 else f"{text[:57]}..."


# ids


def _check_ids(document: Mapping[str, Any]) -> Iterator[Problem]:
    for group in ("steps", "stages"):
        seen: set[str] = set()
        for index, entry in enumerate(document.get(group, ())):
            if entry["id"] in seen:
                text = f"two {group} have the id {entry['id']!r}."
                yield _problem_at(document, (group, index, "id"), "duplicate_id", text)
            seen.add(entry["id"])


# building


def _built(document: Mapping[str, Any], policies: Policies) -> Definition:
    """The definition as drawn. The document fits the schema; its structure may still be wrong."""
    document = copy.deepcopy(dict(document))
    return Definition(
        workflow=document["workflow"],
        name=document["name"],
        format=document["format"],
        reopen=document.get("reopen"),
        stages=tuple(Stage(id=stage["id"], name=stage["name"]) for stage in document.get("stages", ())),
        steps=tuple(_step(source, policies) for source in document["steps"]),
        transitions=tuple(_transition(index, source) for index, source in enumerate(document["transitions"])),
        hash=document_hash(document),
        layout=MappingProxyType({step: (float(x), float(y)) for step, (x, y) in document.get("layout", {}).items()}),
    )


def _step(source: Mapping[str, Any], policies: Policies) -> Step:
    work = KINDS[source["kind"]].outcomes(source, policies)
    return Step(
        id=source["id"],
        kind=source["kind"],
        name=source.get("name", source["id"]),
        stage=source.get("stage"),
        settings=MappingProxyType({key: value for key, value in source.items() if key not in _NO_SETTINGS}),
        outcomes=outcomes_with_instances(source, work),
        work_outcomes=work,
    )


def _transition(index: int, source: Mapping[str, Any]) -> Transition:
    return Transition(
        index=index,
        source=source["from"],
        target=source["to"],
        outcome=source.get("outcome"),
        when=source.get("when"),
        otherwise=source.get("otherwise", False),
        deadline=source.get("deadline"),
    )
