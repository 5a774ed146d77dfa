"""The order within the rows: sweeps by barycentre, then swaps of neighbours, as long as fewer lines cross."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise

from apps.workflows.engine.diagram.layers import Node

MOST_SWEEPS, FEWEST_SWEEPS, NODES_TO_SWEEP = 12, 2, 100_000
PATIENCE = 3
MOST_NODES_TO_SWAP = 1_500
Row = list[int]


def fewer_crossings(nodes: Sequence[Node], rows: Sequence[Row]) -> list[Row]:
    """The rows in the best order found. The same rows give the same order; very large ones are given less effort."""
    best = [list(row) for row in rows]
    fewest = crossings(nodes, best)
    current, tried = best, 0
    for sweep in range(max(FEWEST_SWEEPS, min(MOST_SWEEPS, NODES_TO_SWEEP // len(nodes)))):
        if not fewest or tried == PATIENCE:
            break
        current = _swept(nodes, current, down=sweep % 2 == 0)
        count = crossings(nodes, current)
        tried = 0 if count < fewest else tried + 1
        if count < fewest:
            best, fewest = current, count
    return _swapped(nodes, best) if fewest and len(nodes) <= MOST_NODES_TO_SWAP else best


def crossings(nodes: Sequence[Node], rows: Sequence[Row]) -> int:
    """How many pairs of lines cross."""
    return sum(_crossings_below(nodes, upper, lower) for upper, lower in pairwise(rows))


def _crossings_below(nodes: Sequence[Node], upper: Row, lower: Row) -> int:
    place = {node: index for index, node in enumerate(lower)}
    passed: list[int] = []
    count = 0
    for node in upper:
        ends = [place[end] for end in nodes[node].below]
        for end in sorted(ends) if len(ends) > 1 else ends:
            index = bisect_right(passed, end)
            count += len(passed) - index
            passed.insert(index, end)
    return count


def _swept(nodes: Sequence[Node], rows: Sequence[Row], *, down: bool) -> list[Row]:
    result = [list(row) for row in rows]
    order = range(1, len(rows)) if down else range(len(rows) - 2, -1, -1)
    for index in order:
        fixed = {node: place for place, node in enumerate(result[index - 1 if down else index + 1])}
        result[index] = _by_barycentre(nodes, result[index], fixed, down=down)
    return result


def _by_barycentre(nodes: Sequence[Node], row: Row, fixed: dict[int, int], *, down: bool) -> Row:
    """Sorted; a node that no line binds keeps its place."""
    bound = {node: ends for node in row if (ends := nodes[node].above if down else nodes[node].below)}
    centres = {
        node: sum(fixed[end] for end in ends) / len(ends) if len(ends) > 1 else fixed[ends[0]]
        for node, ends in bound.items()
    }
    ordered = iter(sorted(bound, key=lambda node: centres[node]))
    return [next(ordered) if node in bound else node for node in row]


def _swapped(nodes: Sequence[Node], rows: Sequence[Row]) -> list[Row]:
    result = [list(row) for row in rows]
    places = {node: place for row in result for place, node in enumerate(row)}
    while sum(_swap_in(nodes, row, places) for row in result):
        pass
    return result


def _swap_in(nodes: Sequence[Node], row: Row, places: dict[int, int]) -> bool:
    """Whether a swap of neighbours was of use."""
    changed = False
    for place in range(len(row) - 1):
        left, right = row[place], row[place + 1]
        if _crossing(nodes, left, right, places.__getitem__) > _crossing(nodes, right, left, places.__getitem__):
            row[place], row[place + 1] = right, left
            places[left], places[right] = place + 1, place
            changed = True
    return changed


def _crossing(nodes: Sequence[Node], left: int, right: int, place: Callable[[int], int]) -> int:
    """How many lines of the two nodes cross if one stands left of the other."""
    one, other = nodes[left], nodes[right]
    return sum(
        place(end) > place(beyond)
        for ends, others in ((one.above, other.above), (one.below, other.below))
        for end in ends
        for beyond in others
    )
