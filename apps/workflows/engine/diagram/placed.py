"""The way of every link where somebody has placed the blocks: straight from outline to outline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import hypot

from apps.workflows.engine.diagram.graph import Arrangement, Bend, Block, Link, Point, Route
from apps.workflows.engine.diagram.layout import MARGIN, loop, with_room_for_loop

APART = 12.0
BESIDE = 9.0
ALONG = (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8)


@dataclass(frozen=True, kw_only=True)
class Box:
    """A rectangle that something takes up."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Box, gap: float = 0.0) -> bool:
        return (
            self.left < other.right + gap
            and other.left < self.right + gap
            and self.top < other.bottom + gap
            and other.top < self.bottom + gap
        )


def keep(blocks: Sequence[Block], links: Sequence[Link], centres: Mapping[str, Point]) -> Arrangement:
    """The blocks at their places, moved down where they would lie over one another, all shifted to the margin.

    A label lies on its line, or beside it where that covers less.
    """
    rooms = [with_room_for_loop(block, links) for block in blocks]
    boxes = _apart({block.id: box_of(block, centres[block.id]) for block in rooms})
    at = {block.id: Point(boxes[block.id].left + block.left, _middle(boxes[block.id])) for block in rooms}
    by_id = {block.id: block for block in blocks}
    sketch = _Sketch(taken=list(boxes.values()))
    both_ways = {(link.target, link.source) for link in links}
    for link in links:
        if link.source == link.target:
            sketch.routes.append(loop(by_id[link.source], at[link.source], link))
        else:
            beside = BESIDE if (link.source, link.target) in both_ways else 0.0
            ends = _straight(by_id[link.source], by_id[link.target], at, beside)
            sketch.add(ends, link, both_ways=bool(beside))
    return _shifted(sketch, at)


def _shifted(sketch: _Sketch, centres: Mapping[str, Point]) -> Arrangement:
    """Right and down by what labels take up beyond the margin."""
    right = MARGIN - min(box.left for box in sketch.taken)
    down = MARGIN - min(box.top for box in sketch.taken)

    def move(point: Point) -> Point:
        return Point(point.x + right, point.y + down)

    return Arrangement(
        width=max(box.right for box in sketch.taken) + right + MARGIN,
        height=max(box.bottom for box in sketch.taken) + down + MARGIN,
        centres={name: move(point) for name, point in centres.items()},
        routes=tuple(
            replace(
                route,
                pieces=tuple(tuple(move(point) for point in piece) for piece in route.pieces),
                label=move(route.label) if route.label else None,
            )
            for route in sketch.routes
        ),
    )


def box_of(block: Block, centre: Point) -> Box:
    """What the block takes up there, its caption included."""
    return Box(
        left=centre.x - block.left,
        top=centre.y - block.height / 2,
        right=centre.x + block.right,
        bottom=centre.y + block.height / 2,
    )


def _middle(box: Box) -> float:
    return (box.top + box.bottom) / 2


def _apart(boxes: Mapping[str, Box]) -> dict[str, Box]:
    """From the top down, each moved below those that it would meet."""
    done: dict[str, Box] = {}
    for name in sorted(boxes, key=lambda name: (boxes[name].top, boxes[name].left, name)):
        box = boxes[name]
        while met := [other for other in done.values() if box.meets(other, APART)]:
            top = max(other.bottom for other in met) + APART
            box = Box(left=box.left, top=top, right=box.right, bottom=top + box.bottom - box.top)
        done[name] = box
    return done


def _straight(source: Block, target: Block, centres: Mapping[str, Point], beside: float) -> tuple[Point, Point]:
    """From outline to outline; links that go both ways keep to the right of the line between the centres."""
    start, end = centres[source.id], centres[target.id]
    length = hypot(end.x - start.x, end.y - start.y)
    across = Point(-(end.y - start.y) / length * beside, (end.x - start.x) / length * beside)
    aim_start = Point(start.x + min(max(across.x, -source.half / 2), source.half / 2), start.y + across.y)
    aim_end = Point(end.x + min(max(across.x, -target.half / 2), target.half / 2), end.y + across.y)
    return _leaves(source, start, aim_start, aim_end), _leaves(target, end, aim_end, aim_start)


def _leaves(block: Block, centre: Point, inside: Point, outside: Point) -> Point:
    """Where the line from a point within the block crosses its outline, or that of its caption, found by halving."""
    for _ in range(24):
        middle = Point((inside.x + outside.x) / 2, (inside.y + outside.y) / 2)
        if _covers(block, middle.x - centre.x, middle.y - centre.y):
            inside = middle
        else:
            outside = middle
    return inside


def _covers(block: Block, x: float, y: float) -> bool:
    if abs(x) <= block.half:
        return abs(y) <= block.outline(x)
    return block.half < x <= block.right and abs(y) <= block.height / 2


@dataclass(kw_only=True)
class _Sketch:
    """Routes so far, and what blocks and labels take up."""

    taken: list[Box]
    routes: list[Route] = field(default_factory=list)

    def add(self, ends: tuple[Point, Point], link: Link, *, both_ways: bool) -> None:
        if not link.width:
            self.routes.append(Route(pieces=(ends,), bend=Bend.STRAIGHT))
            return
        places = list(_label_places(ends, link, both_ways=both_ways))
        label = min(places, key=lambda place: sum(map(_room(link, place).meets, self.taken)))
        room = _room(link, label)
        self.taken.append(room)
        self.routes.append(Route(pieces=tuple(_around(ends, room)), bend=Bend.STRAIGHT, label=label))


def _label_places(ends: tuple[Point, Point], link: Link, *, both_ways: bool) -> Iterator[Point]:
    """On the line, then beside it, ever farther away; only beside it, and outside, where a line back is near."""
    start, end = ends
    length = hypot(end.x - start.x, end.y - start.y)
    across = Point(-(end.y - start.y) / length, (end.x - start.x) / length)
    half, reach = link.width / 2 + BESIDE, link.height / 2 + BESIDE / 2
    for away in (1.0,) if both_ways else (0.0, 1.0, -1.0, 3.0, -3.0):
        for part in ALONG:
            x, y = start.x + (end.x - start.x) * part, start.y + (end.y - start.y) * part
            yield Point(x + across.x * away * half, y + across.y * away * reach)


def _room(link: Link, centre: Point) -> Box:
    half, reach = link.width / 2, link.height / 2
    return Box(left=centre.x - half, right=centre.x + half, top=centre.y - reach, bottom=centre.y + reach)


def _around(ends: tuple[Point, Point], room: Box) -> Iterator[tuple[Point, ...]]:
    """The parts of the line before and after the label, of which something is always seen."""
    (x1, y1), (x2, y2) = ends
    steps = 48
    points = [Point(x1 + (x2 - x1) * step / steps, y1 + (y2 - y1) * step / steps) for step in range(steps + 1)]
    covered = [room.left < point.x < room.right and room.top < point.y < room.bottom for point in points]
    inside = [step for step, hidden in enumerate(covered) if hidden]
    if not inside:
        yield ends
        return
    first, last = max(inside[0] - 1, 2), min(inside[-1] + 1, steps - 2)
    yield points[0], points[first]
    yield points[last], points[-1]
