"""Events of a XES file (IEEE 1849), one by one: what was read is freed, so memory stays flat."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from apps.requests.eventlog.lines import Line, unreadable

ATTRIBUTES = frozenset({"string", "date", "int", "float", "boolean", "id"})
TRACE, EVENT = ["log", "trace"], ["log", "trace", "event"]
LOOSE_EVENT = ["log", "event"]


class XesLog:
    """A XES file, with or without its namespace.

    Nested attributes, lists, containers and `<global>` defaults are passed over. An event has the attributes of its
    trace that stand before it, as the standard asks.
    """

    kind = "xes"
    columns: tuple[str, ...] = ()

    def __init__(self, *, path: Path, stream: BufferedReader) -> None:
        self._path = path
        self._stream = stream

    def lines(self) -> Iterator[Line]:
        """The events in the file's order. Raises UnreadableLog where the XML is malformed or has a DTD."""
        number, trace = 0, _Attributes()
        for inside, element in self._ended():
            if inside in (EVENT, LOOSE_EVENT):
                number += 1
                yield _line(number, trace, element)
            elif inside == TRACE:
                trace = _Attributes()
            elif inside[:-1] == TRACE:
                trace.take(element)

    def _ended(self) -> Iterator[tuple[list[str], Element]]:
        """Every element at its end with the names from the root down to it; then it is freed, but not within events."""
        inside: list[str] = []
        parents: list[Element] = []
        for what, element in self._parsed():
            if what == "start":
                inside.append(_name(element))
                parents.append(element)
                self._demand_log(inside)
                continue
            parents.pop()
            yield inside, element
            inside.pop()
            if inside in (["log"], TRACE):
                element.clear()
                del parents[-1][:]

    def _parsed(self) -> Iterator[tuple[str, Element]]:
        try:
            yield from iterparse(self._stream, events=("start", "end"), forbid_dtd=True)
        except ParseError as error:
            raise unreadable(f"{self._path} is no well-formed XML: {error}.") from error
        except DefusedXmlException as error:
            raise unreadable(f"{self._path} holds a DTD or entities, which are not read.") from error
        except (LookupError, ValueError) as error:
            raise unreadable(f"{self._path} is in an encoding that cannot be read: {error}.") from error

    def _demand_log(self, inside: list[str]) -> None:
        if inside[0] != "log":
            raise unreadable(f"{self._path} is no XES: its root is <{inside[0]}>, not <log>.")


class _Attributes:
    """Keys and values of one trace or event, and the first that lacks one of both."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self.problem = ""

    def take(self, element: Element) -> None:
        kind = _name(element)
        if kind not in ATTRIBUTES:
            return
        key, value = element.get("key"), element.get("value")
        if key is None:
            self.problem = self.problem or f"has a <{kind}> without a key"
        elif value is None:
            self.problem = self.problem or f"has no value for {key!r}"
        else:
            self.values[key] = value


def _line(number: int, trace: _Attributes, event: Element) -> Line:
    own = _Attributes()
    for child in event:
        own.take(child)
    of_case = {f"case:{key}": value for key, value in trace.values.items()}
    return Line(number=number, values={**of_case, **trace.values, **own.values}, problem=own.problem or trace.problem)


def _name(element: Element) -> str:
    """The element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]
