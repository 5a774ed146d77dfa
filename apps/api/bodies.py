"""The shapes of request bodies: which keys there are and of which JSON type. What a value must be is the services' say.

A shape is a JSON Schema object; it is both what is checked here and what the OpenAPI document shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.core.errors import InvalidInput

Shape = Mapping[str, Any]
Body = Mapping[str, Any]

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "integer": (int,),
    "number": (int, float),
}
_WORDS = {
    "integer": "This must be a whole number.",
    "number": "This must be a number.",
    "string": "This must be text.",
    "boolean": "This must be true or false.",
    "object": "This must be an object.",
    "array": "This must be a list.",
}
UNKNOWN = "There is no such field."
MISSING = "This field is required."


def shape(properties: Mapping[str, Mapping[str, Any]] | None = None, *, required: tuple[str, ...] = ()) -> Shape:
    """An object with these properties and no others."""
    wanted = {"required": list(required)} if required else {}
    return {"type": "object", "properties": properties or {}, "additionalProperties": False, **wanted}


def text(description: str = "", **more: Any) -> dict[str, Any]:
    """A text property."""
    return {"type": "string", **({"description": description} if description else {}), **more}


def number(description: str) -> dict[str, Any]:
    """The number of something: of a visit, a token, an instance."""
    return {"type": "integer", "minimum": 0, "description": description}


def anything(description: str) -> dict[str, Any]:
    """A property of any JSON type; the service says what fits."""
    return {"description": description}


def flag(description: str, *, default: bool) -> dict[str, Any]:
    """A true-or-false property."""
    return {"type": "boolean", "description": description, "default": default}


def read_body(data: Any, expected: Shape) -> Body:
    """The body, if its keys and JSON types are those of the shape. Raises InvalidInput with every problem by field."""
    properties = expected["properties"]
    problems = {str(key)[:60]: [UNKNOWN] for key in data if key not in properties}
    problems |= {key: [MISSING] for key in expected.get("required", []) if key not in data}
    for key, property_ in properties.items():
        if key in data and not _fits(data[key], property_.get("type")):
            problems[key] = [_WORDS[property_["type"]]]
    if problems:
        raise InvalidInput(problems)
    return dict(data)


def _fits(value: object, kind: str | None) -> bool:
    if kind is None:
        return True
    return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
