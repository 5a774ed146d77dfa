"""What a layout is made of: blocks and links in, points out. Nothing here knows what a workflow is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Point(NamedTuple):
    """Pixels, x to the right and y down."""

    x: float
    y: float


@dataclass(frozen=True, kw_only=True)
class Block:
    """Something to place, seen from its centre, in pixels.

    `half` is half the width of its outline, `left` and `right` how far it needs room (a caption beside it counts),
    `ports` how far from the centre arrows may touch it, `outline` the height above the centre at a distance sideways.
    """

    id: str
    half: float
    height: float
    left: float
    right: float
    ports: float
    outline: Callable[[float], float]


@dataclass(frozen=True, kw_only=True)
class Link:
    """A line from block to block, which may be the same. Its label needs that much room, none where there is none."""

    source: str
    target: str
    width: float = 0.0
    height: float = 0.0


class Bend(StrEnum):
    """How a piece of a route gets from point to point: bent and upright at both, straight, or round a corner."""

    UPRIGHT = "upright"
    STRAIGHT = "straight"
    LOOP = "loop"


@dataclass(frozen=True, kw_only=True)
class Route:
    """Where a link is drawn. A label interrupts it, so it has one or two pieces, both from source to target.

    A piece that loops has four points, the two in the middle are those it bends towards. `label` is the centre of the
    label's room. `back`: against the order of the layers.
    """

    pieces: tuple[tuple[Point, ...], ...]
    bend: Bend
    label: Point | None = None
    back: bool = False


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """`centres` by block id; `routes` in the order of the links; `layers` are the ids row by row, from the left."""

    width: float
    height: float
    centres: Mapping[str, Point]
    routes: tuple[Route, ...]
    layers: tuple[tuple[str, ...], ...] = ()
