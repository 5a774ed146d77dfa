"""SVG as text: elements, attributes and numbers, everything escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import hypot

from apps.workflows.engine.diagram.graph import Bend, Point
from apps.workflows.engine.diagram.text import escape


def element(name: str, *children: str, **attributes: object) -> str:
    """`class_` and `stroke_width` become class and stroke-width; None is left out. Children are SVG already."""
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{said}>{''.join(children)}</{name}>" if children else f"<{name}{said}/>"


def words(text: str, x: float, y: float, *, class_: str, size: float, **attributes: object) -> str:
    return element("text", escape(text), class_=class_, x=x, y=y, font_size=size, fill="currentColor", **attributes)


def title(parts: Iterable[str]) -> str:
    """Shown on hover."""
    return element("title", escape("; ".join(part for part in parts if part)))


def path(points: Sequence[Point], bend: Bend) -> str:
    """The value of `d` for one piece of a route."""
    start = f"M{_pair(points[0])}"
    if bend is Bend.LOOP:
        return f"{start}C{' '.join(_pair(point) for point in points[1:])}"
    draw = _bent if bend is Bend.UPRIGHT else _straight
    return start + "".join(draw(before, after) for before, after in pairwise(points))


def head(points: Sequence[Point], bend: Bend, size: float) -> str:
    """The value of `d` for the arrowhead at the end of a piece."""
    tip, along = points[-1], _direction(points, bend, size)
    across = Point(-along.y * 0.55, along.x * 0.55)
    foot = Point(tip.x - along.x, tip.y - along.y)
    corners = (Point(foot.x + across.x, foot.y + across.y), Point(foot.x - across.x, foot.y - across.y))
    return f"M{_pair(tip)}L{_pair(corners[0])}L{_pair(corners[1])}Z"


def shortened(points: Sequence[Point], bend: Bend, by: float) -> tuple[Point, ...]:
    """Without the last pixels, which the arrowhead covers."""
    tip, along = points[-1], _direction(points, bend, by)
    return (*points[:-1], Point(tip.x - along.x, tip.y - along.y))


def _direction(points: Sequence[Point], bend: Bend, length: float) -> Point:
    """How the piece arrives, that many pixels long."""
    before, tip = points[-2], points[-1]
    across = 0.0 if bend is Bend.UPRIGHT else tip.x - before.x
    scale = length / (hypot(across, tip.y - before.y) or 1.0)
    return Point(across * scale, (tip.y - before.y) * scale)


def number(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip(".")


def _bent(before: Point, after: Point) -> str:
    if before.x == after.x:
        return f"V{number(after.y)}"
    middle = (before.y + after.y) / 2
    return f"C{_pair(Point(before.x, middle))} {_pair(Point(after.x, middle))} {_pair(after)}"


def _straight(before: Point, after: Point) -> str:
    return f"L{_pair(after)}"


def _pair(point: Point) -> str:
    return f"{number(point.x)},{number(point.y)}"


def _value(value: object) -> str:
    return number(value) if isinstance(value, float) else escape(str(value))
