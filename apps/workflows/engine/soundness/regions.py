"""Parts of a graph with one arrow in and one out.

Two arrows are cycle equivalent when every cycle (ignoring directions, with an arrow from the ends back to the start)
that has one has the other: Johnson, Pearson and Pingali, "The Program Structure Tree", 1994. Here the classes are found
with random labels: an arrow outside a spanning tree gets one, an arrow of the tree the sum (xor) of those whose cycle
it is on. Equal labels only propose a region; whether it is one is then looked up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random
from typing import NamedTuple

from apps.workflows.engine.definition import Definition, Transition

OUTSIDE = "\u2026outside"
_BITS = 64


class Region(NamedTuple):
    """The steps between two arrows: the one that leads in and the one that leads out."""

    entry: Transition
    exit: Transition
    steps: frozenset[str]

    @property
    def key(self) -> tuple[int, int]:
        return self.entry.index, self.exit.index


def regions(definition: Definition) -> Iterator[Region]:
    """For each arrow the smallest region that it leads into, small ones first."""
    labels = _labels(definition)
    classes: dict[int, set[int]] = {}
    for index, label in labels.items():
        classes.setdefault(label, set()).add(index)
    found = []
    for arrow in definition.transitions:
        region = _region(definition, arrow, classes[labels[arrow.index]])
        if region is not None:
            found.append(region)
    yield from sorted(found, key=lambda region: len(region.steps))


def _region(definition: Definition, entry: Transition, equivalent: set[int]) -> Region | None:
    """The region from that arrow to the next one of its class, if it has one arrow in and one out."""
    if len(equivalent) < 2:
        return None
    inside, waiting = {entry.target}, [entry.target]
    exits: list[Transition] = []
    while waiting:
        for arrow in definition.arrows_from(waiting.pop()):
            if arrow.index in equivalent:
                exits.append(arrow)
            elif arrow.target not in inside:
                inside.add(arrow.target)
                waiting.append(arrow.target)
    if len(exits) != 1 or exits[0] is entry or exits[0].target in inside or entry.source in inside:
        return None
    entries = [arrow for step in inside for arrow in definition.arrows_to(step) if arrow.source not in inside]
    return Region(entry, exits[0], frozenset(inside)) if entries == [entry] else None


class _Edge(NamedTuple):
    number: int
    one: str
    other: str


def _labels(definition: Definition) -> Mapping[int, int]:
    """The label of each arrow, by its index."""
    edges = list(_edges(definition))
    at: dict[str, list[_Edge]] = {}
    for edge in edges:
        at.setdefault(edge.one, []).append(edge)
        at.setdefault(edge.other, []).append(edge)
    order, above = _tree(at, OUTSIDE)
    in_tree = {edge.number for edge in above.values()}
    rng = Random(len(edges))  # noqa: S311 - no secret; the same labels for the same graph
    labels = {edge.number: rng.getrandbits(_BITS) for edge in edges if edge.number not in in_tree}
    sums = dict.fromkeys(order, 0)
    for edge in edges:
        if edge.number not in in_tree and edge.one != edge.other:
            sums[edge.one] ^= labels[edge.number]
            sums[edge.other] ^= labels[edge.number]
    for node in reversed(order[1:]):
        edge = above[node]
        labels[edge.number] = sums[node]
        sums[edge.one if edge.other == node else edge.other] ^= sums[node]
    return labels


def _edges(definition: Definition) -> Iterator[_Edge]:
    """The arrows, and one from each end back to the start over a node outside (with numbers below zero)."""
    for arrow in definition.transitions:
        yield _Edge(arrow.index, arrow.source, arrow.target)
    outer = [definition.start.id, *(step.id for step in definition.steps if step.kind == "end")]
    for number, step_id in enumerate(outer, 1):
        yield _Edge(-number, OUTSIDE, step_id)


def _tree(at: Mapping[str, list[_Edge]], root: str) -> tuple[list[str], dict[str, _Edge]]:
    """The nodes from the root outwards, and the edge of a spanning tree by which each was reached."""
    order, above = [root], dict[str, _Edge]()
    seen = {root}
    for node in order:
        for edge in at[node]:
            other = edge.other if edge.one == node else edge.one
            if other not in seen:
                seen.add(other)
                above[other] = edge
                order.append(other)
    return order, above
