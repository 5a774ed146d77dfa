"""A layered layout from top to bottom: layers, order, coordinates, and the way of every link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from apps.workflows.engine.diagram.graph import Arrangement, Bend, Block, Link, Point, Route
from apps.workflows.engine.diagram.layers import Node, Rows, build
from apps.workflows.engine.diagram.order import fewer_crossings
from apps.workflows.engine.diagram.straight import centres

MARGIN = 16.0
LOOP = 28.0
LOOP_HEIGHT = 20.0
PORT_GAP = 18.0
CLOSE = 0.5
SMALLEST_GAP, LARGEST_GAP, GAP_PER_SLANT = 19.0, 56.0, 0.09


def arrange(blocks: Sequence[Block], links: Sequence[Link]) -> Arrangement:
    """Places for all blocks and ways for all links: no block touches another block, a label or a link it does not have.

    The first block is where the walk begins that decides which links lead back. The same input gives the same result.
    """
    if not blocks:
        return Arrangement(width=2 * MARGIN, height=2 * MARGIN, centres={}, routes=())
    rows = build([with_room_for_loop(block, links) for block in blocks], links)
    rows = replace(rows, rows=fewer_crossings(rows.nodes, rows.rows))
    grid = _measured(rows)
    ports = _ports(rows, grid.x)
    routes = []
    for index, link in enumerate(links):
        if index in rows.chains:
            routes.append(_route(rows, grid, index, ports))
        else:
            number = next(number for number, block in enumerate(blocks) if block.id == link.source)
            routes.append(loop(blocks[number], Point(grid.x[number], grid.middle(number)), link))
    return Arrangement(
        width=max(x + node.right for x, node in zip(grid.x, rows.nodes, strict=True)) + MARGIN,
        height=grid.spans[-1][1] + MARGIN,
        centres={block.id: Point(grid.x[number], grid.middle(number)) for number, block in enumerate(blocks)},
        routes=tuple(routes),
        layers=tuple(tuple(blocks[node].id for node in row if node < len(blocks)) for row in rows.rows[::2]),
    )


def with_room_for_loop(block: Block, links: Sequence[Link]) -> Block:
    """The block, wider by the link that leads from it to itself."""
    loops = [link for link in links if link.source == link.target == block.id]
    if not loops:
        return block
    right = max(block.right, block.half + LOOP + max(link.width for link in loops))
    return replace(block, right=right, height=max(block.height, *(link.height + 8 for link in loops)))


def loop(block: Block, centre: Point, link: Link) -> Route:
    """Out of the right side and back into it, the label beyond."""
    side, far = centre.x + block.half, centre.x + block.half + LOOP
    reach = min(LOOP_HEIGHT / 2, block.height / 4)
    up, down = centre.y - reach, centre.y + reach
    return Route(
        pieces=((Point(side, up), Point(far, up), Point(far, down), Point(side, down)),),
        bend=Bend.LOOP,
        label=Point(far + link.width / 2, centre.y) if link.width else None,
    )


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The x of every node, the top and bottom of every row, and which row a node is in."""

    x: Sequence[float]
    spans: Sequence[tuple[float, float]]
    row_of: Sequence[int]

    def middle(self, node: int) -> float:
        top, bottom = self.spans[self.row_of[node]]
        return (top + bottom) / 2


def _measured(rows: Rows) -> Grid:
    x = centres(rows.nodes, rows.rows)
    shift = MARGIN - min(place - node.left for place, node in zip(x, rows.nodes, strict=True))
    x = [place + shift for place in x]
    row_of = [0] * len(rows.nodes)
    spans: list[tuple[float, float]] = []
    top = MARGIN
    for index, row in enumerate(rows.rows):
        if index:
            top = spans[-1][1] + _gap(rows.nodes, rows.rows[index - 1], x)
        spans.append((top, top + max(rows.nodes[node].height for node in row)))
        for node in row:
            row_of[node] = index
    return Grid(x=x, spans=spans, row_of=row_of)


def _gap(nodes: Sequence[Node], row: Sequence[int], x: Sequence[float]) -> float:
    """Higher where lines go far sideways, so that they stay apart."""
    slant = max((abs(x[node] - x[below]) for node in row for below in nodes[node].below), default=0.0)
    return min(SMALLEST_GAP + GAP_PER_SLANT * slant, LARGEST_GAP)


# ports


@dataclass(frozen=True, kw_only=True)
class Ports:
    """The x at which each link leaves its upper block and reaches its lower one."""

    upper: dict[int, float]
    lower: dict[int, float]


def _ports(rows: Rows, x: Sequence[float]) -> Ports:
    upper: dict[int, float] = {}
    lower: dict[int, float] = {}
    for number, node in enumerate(rows.nodes):
        if node.block is None:
            continue
        leaving = [index for index, chain in rows.chains.items() if chain[0] == number] if node.below else []
        upper.update(_on_block(node.block, x[number], {index: x[rows.chains[index][1]] for index in leaving}))
        coming = [index for index, chain in rows.chains.items() if chain[-1] == number] if node.above else []
        lower.update(_on_block(node.block, x[number], {index: x[rows.chains[index][-2]] for index in coming}))
    return Ports(upper=upper, lower=lower)


def _on_block(block: Block, centre: float, wanted: dict[int, float]) -> dict[int, float]:
    order = sorted(wanted, key=lambda index: (wanted[index], index))
    places = spread([wanted[index] for index in order], centre - block.ports, centre + block.ports, PORT_GAP)
    return dict(zip(order, places, strict=True))


def spread(wanted: Sequence[float], low: float, high: float, gap: float) -> list[float]:
    """Ascending places between `low` and `high`, each as near to its wish as the gap between neighbours allows.

    Where there is not room for that gap, the gap is what there is room for. Least squares by pooling neighbours.
    """
    if not wanted:
        return []
    gap = min(gap, (high - low) / max(len(wanted) - 1, 1))
    pools: list[tuple[float, int]] = []
    for index, wish in enumerate(wanted):
        pool = (wish - index * gap, 1)
        while pools and pools[-1][0] >= pool[0]:
            mean, count = pools.pop()
            pool = ((mean * count + pool[0] * pool[1]) / (count + pool[1]), count + pool[1])
        pools.append(pool)
    shifted = [mean for mean, count in pools for _ in range(count)]
    last = high - (len(wanted) - 1) * gap
    return [min(max(place, low), last) + index * gap for index, place in enumerate(shifted)]


# routes


def _route(rows: Rows, grid: Grid, index: int, ports: Ports) -> Route:
    """Down the chain of nodes: upright through every row, bent between them, interrupted by the label."""
    chain = rows.chains[index]
    back = index in rows.back
    held = rows.labels.get(index)
    pieces = [[*_end(rows, grid, chain[0], ports.upper[index], leaving=True)]]
    for node in chain[1:-1]:
        top, bottom = grid.spans[grid.row_of[node]]
        pieces[-1].append(Point(grid.x[node], top))
        if node == held:
            half, middle = rows.nodes[node].height / 2, grid.middle(node)
            pieces[-1].append(Point(grid.x[node], middle - half))
            pieces.append([Point(grid.x[node], middle + half)])
        pieces[-1].append(Point(grid.x[node], bottom))
    pieces[-1].extend(_end(rows, grid, chain[-1], ports.lower[index], leaving=False))
    ways = tuple(_without_repeats(piece) for piece in pieces)
    return Route(
        pieces=tuple(way[::-1] for way in reversed(ways)) if back else ways,
        bend=Bend.UPRIGHT,
        label=Point(grid.x[held], grid.middle(held)) if held is not None else None,
        back=back,
    )


def _end(rows: Rows, grid: Grid, node: int, port: float, *, leaving: bool) -> tuple[Point, ...]:
    """From the block's outline to the edge of its row, or the other way."""
    block = rows.nodes[node].block
    assert block is not None
    reach = block.outline(port - grid.x[node])
    top, bottom = grid.spans[grid.row_of[node]]
    if leaving:
        return Point(port, grid.middle(node) + reach), Point(port, bottom)
    return Point(port, top), Point(port, grid.middle(node) - reach)


def _without_repeats(points: Sequence[Point]) -> tuple[Point, ...]:
    kept = [points[0]]
    kept += [after for before, after in pairwise(points) if abs(after.x - before.x) + abs(after.y - before.y) > CLOSE]
    return tuple(kept)
