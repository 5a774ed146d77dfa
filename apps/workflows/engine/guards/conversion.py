"""Facts as the binding takes them: only what an expression reads, and never more than a bounded amount."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from google.protobuf.duration_pb2 import Duration  # type: ignore[import-untyped]
from google.protobuf.timestamp_pb2 import Timestamp  # type: ignore[import-untyped]

from apps.workflows.engine.guards.names import Reads

DEEPEST = 32
HEAVIEST = 1_000_000
A_VALUE = 16
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1


class Intake:
    """Takes facts in and weighs them: a value weighs 16, a text its characters besides."""

    def __init__(self) -> None:
        self.weight = 0

    def read(self, value: Any, reads: Reads | None, depth: int = DEEPEST) -> Any:
        """The part of a value that is read. Raises ValueError for what has no counterpart or is too much."""
        if reads is None or not isinstance(value, Mapping):
            return self._given(value, depth)
        self._weigh(A_VALUE)
        return {name: self.read(value[name], below, depth - 1) for name, below in reads.items() if name in value}

    def _given(self, value: Any, depth: int) -> Any:
        self._weigh(A_VALUE + (len(value) if isinstance(value, str) else 0))
        for kind, convert in _CONVERSIONS.items():
            if isinstance(value, kind):
                return convert(value)
        if depth <= 0:
            raise ValueError(f"The facts are nested more than {DEEPEST} levels deep.")
        if isinstance(value, Mapping):
            return {self._key(key): self._given(item, depth - 1) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._given(item, depth - 1) for item in value]
        raise ValueError(f"A value of type {type(value).__name__} cannot be used in an expression.")

    def _key(self, key: object) -> str:
        text = str(key)
        self._weigh(len(text))
        return text

    def _weigh(self, weight: int) -> None:
        self.weight += weight
        if self.weight > HEAVIEST:
            raise ValueError(f"The facts that are read are too large (a weight of more than {HEAVIEST:,}).")


def _same(value: Any) -> Any:
    return value


def _number(value: int) -> int | float:
    return value if _SMALLEST <= value <= _LARGEST else float(value)


def _timestamp(value: datetime) -> Timestamp:
    if value.tzinfo is None:
        raise ValueError("A point in time without a zone cannot be used in an expression.")
    message = Timestamp()
    message.FromDatetime(value)
    return message


def _duration(value: timedelta) -> Duration:
    message = Duration()
    message.FromTimedelta(value)
    return message


_CONVERSIONS: Mapping[type, Callable[[Any], Any]] = {
    **dict.fromkeys((bool, float, type(None)), _same),
    str: str.__str__,  # an enum's member becomes its plain text
    int: _number,
    Decimal: float,
    datetime: _timestamp,
    timedelta: _duration,
}
