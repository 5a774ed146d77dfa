"""Where the nodes of each row stand, so that lines are as straight as possible.

After U. Brandes and B. Köpf, "Fast and simple horizontal coordinate assignment" (2002): four layouts, each leaning to
one corner, and the mean of the two in the middle.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from apps.workflows.engine.diagram.layers import Node

BETWEEN_BLOCKS = 24.0
BETWEEN_LINES = 16.0
Row = Sequence[int]
Segment = tuple[int, int]


def centres(nodes: Sequence[Node], rows: Sequence[Row]) -> list[float]:
    """The x of every node. Neighbours in a row never come closer than their extents and the gap between them."""
    crossed = set(_crossed(nodes, rows))
    leaning = [
        _leaning(nodes, rows, crossed, up=up, mirrored=mirrored) for up in (False, True) for mirrored in (False, True)
    ]
    middles = [sorted(places) for places in zip(*_side_by_side(leaning), strict=True)]
    return [(places[1] + places[2]) / 2 for places in middles]


def _crossed(nodes: Sequence[Node], rows: Sequence[Row]) -> Iterator[Segment]:
    """The segments (upper, lower) that give way: those that cross one between two nodes which are no blocks."""
    for upper, lower in pairwise(rows):
        place = {node: index for index, node in enumerate(upper)}
        low, scanned = 0, 0
        for index, node in enumerate(lower):
            inner = _inner_above(nodes, node)
            if inner is None and index < len(lower) - 1:
                continue
            high = len(upper) if inner is None else place[inner]
            for passed in lower[scanned : index + 1]:
                yield from (
                    (above, passed)
                    for above in nodes[passed].above
                    if not low <= place[above] <= high and above != inner
                )
            scanned, low = index + 1, high


def _inner_above(nodes: Sequence[Node], node: int) -> int | None:
    if nodes[node].block is not None:
        return None
    (above,) = nodes[node].above
    return above if nodes[above].block is None else None


def _leaning(
    nodes: Sequence[Node], rows: Sequence[Row], crossed: set[Segment], *, up: bool, mirrored: bool
) -> list[float]:
    rows = [row[::-1] if mirrored else row for row in rows]
    root = _aligned(nodes, rows[::-1] if up else rows, crossed, up=up)
    places = _packed(nodes, rows, root, mirrored=mirrored)
    return [-places[root[node]] if mirrored else places[root[node]] for node in range(len(nodes))]


def _aligned(nodes: Sequence[Node], rows: Sequence[Row], crossed: set[Segment], *, up: bool) -> list[int]:
    """Each node's root: nodes of one root stand in one upright line. A node joins one of its median neighbours."""
    root = list(range(len(nodes)))
    taken: set[int] = set()
    for before, row in pairwise(rows):
        place = {node: index for index, node in enumerate(before)}
        reached = -1
        for node in row:
            ends = sorted(nodes[node].below if up else nodes[node].above, key=place.__getitem__)
            for end in _medians(ends):
                segment = (node, end) if up else (end, node)
                if place[end] > reached and end not in taken and segment not in crossed:
                    root[node] = root[end]
                    taken.add(end)
                    reached = place[end]
                    break
    return root


def _medians(ends: Sequence[int]) -> Sequence[int]:
    return ends[(len(ends) - 1) // 2 : len(ends) // 2 + 1]


def _packed(nodes: Sequence[Node], rows: Sequence[Row], root: Sequence[int], *, mirrored: bool) -> dict[int, float]:
    """The x of every root, packed to the left, then each moved right as far as what follows lets it."""
    after: dict[int, list[tuple[int, float]]] = {node: [] for node in root}
    waiting_for = dict.fromkeys(after, 0)
    for row in rows:
        for one, other in pairwise(row):
            after[root[one]].append((root[other], _apart(nodes[one], nodes[other], mirrored=mirrored)))
            waiting_for[root[other]] += 1
    places = dict.fromkeys(after, 0.0)
    ready = [node for node, count in waiting_for.items() if not count]
    for node in ready:
        for other, apart in after[node]:
            places[other] = max(places[other], places[node] + apart)
            waiting_for[other] -= 1
            if not waiting_for[other]:
                ready.append(other)
    for node in reversed(ready):
        if after[node]:
            places[node] = min(places[other] - apart for other, apart in after[node])
    return places


def _apart(one: Node, other: Node, *, mirrored: bool) -> float:
    gap = BETWEEN_BLOCKS if one.block and other.block else BETWEEN_LINES
    return gap + (one.left + other.right if mirrored else one.right + other.left)


def _side_by_side(leaning: Sequence[list[float]]) -> Iterator[list[float]]:
    """All moved over the narrowest: those that lean left by their left edge, the others by their right edge."""
    narrowest = min(leaning, key=lambda places: max(places) - min(places))
    for index, places in enumerate(leaning):
        edge = max if index % 2 else min
        shift = edge(narrowest) - edge(places)
        yield [place + shift for place in places]
