"""The first half of a layered layout: which layer each block is in, and a node in every row that a link passes.

After K. Sugiyama, S. Tagawa and M. Toda, "Methods for visual understanding of hierarchical system structures" (1981).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from apps.workflows.engine.diagram.graph import Block, Link


@dataclass(kw_only=True)
class Node:
    """A block, or the place where a link crosses a row. Labels are in the rows between the layers."""

    left: float
    right: float
    height: float
    block: Block | None = None
    above: list[int] = field(default_factory=list)
    below: list[int] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Layers (even rows) and what lies between them (odd rows). `chains`: each link's nodes from top to bottom.

    Nodes are numbers: the blocks in their order, then the others. `labels`: the node that holds the link's label.
    """

    nodes: list[Node]
    rows: list[list[int]]
    chains: dict[int, list[int]]
    labels: dict[int, int]
    back: frozenset[int]


def build(blocks: Sequence[Block], links: Sequence[Link]) -> Rows:
    """The rows, each in the order of a walk from the first block. Links to their own block are left out."""
    numbers = {block.id: number for number, block in enumerate(blocks)}
    pairs = {
        index: (numbers[link.source], numbers[link.target])
        for index, link in enumerate(links)
        if link.source != link.target
    }
    back = _back_links(len(blocks), pairs)
    downward = {index: (pair[1], pair[0]) if index in back else pair for index, pair in pairs.items()}
    layers = _longest_paths(len(blocks), downward)
    nodes = [Node(left=block.left, right=block.right, height=block.height, block=block) for block in blocks]
    rows = Rows(nodes=nodes, rows=[], chains={}, labels={}, back=back)
    depth = [2 * layer for layer in layers]
    for index, (top, bottom) in downward.items():
        _add_chain(rows, depth, index, links[index], top, bottom)
    rows.rows.extend(_walked(nodes, depth, len(blocks)))
    return rows


def _back_links(count: int, pairs: dict[int, tuple[int, int]]) -> frozenset[int]:
    """The links that lead back to where a depth-first walk came from: turned round, the rest has no cycle."""
    out: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    for index, (source, target) in pairs.items():
        out[source].append((index, target))
    back, entered, left = set(), set(), set()
    for root in range(count):
        if root in entered:
            continue
        entered.add(root)
        path: list[tuple[int, Iterator[tuple[int, int]]]] = [(root, iter(out[root]))]
        while path:
            node, arrows = path[-1]
            index, target = next(arrows, (-1, -1))
            if index < 0:
                left.add(node)
                path.pop()
            elif target not in entered:
                entered.add(target)
                path.append((target, iter(out[target])))
            elif target not in left:
                back.add(index)
    return frozenset(back)


def _longest_paths(count: int, downward: dict[int, tuple[int, int]]) -> list[int]:
    below: list[list[int]] = [[] for _ in range(count)]
    waiting_for = [0] * count
    for top, bottom in downward.values():
        below[top].append(bottom)
        waiting_for[bottom] += 1
    layers = [0] * count
    ready = [node for node in range(count) if not waiting_for[node]]
    for node in ready:
        for bottom in below[node]:
            layers[bottom] = max(layers[bottom], layers[node] + 1)
            waiting_for[bottom] -= 1
            if not waiting_for[bottom]:
                ready.append(bottom)
    return layers


def _add_chain(rows: Rows, depth: list[int], index: int, link: Link, top: int, bottom: int) -> None:
    """The nodes of one link; its label stands next to its source."""
    first = len(rows.nodes)
    between = range(depth[top] + 1, depth[bottom])
    for row in between:
        rows.nodes.append(Node(left=0, right=0, height=0))
        depth.append(row)
    chain = [top, *range(first, first + len(between)), bottom]
    for upper, lower in pairwise(chain):
        rows.nodes[upper].below.append(lower)
        rows.nodes[lower].above.append(upper)
    rows.chains[index] = chain
    if link.width:
        rows.labels[index] = chain[-2] if index in rows.back else chain[1]
        label = rows.nodes[rows.labels[index]]
        label.left = label.right = link.width / 2
        label.height = link.height


def _walked(nodes: list[Node], depth: list[int], blocks: int) -> list[list[int]]:
    rows: list[list[int]] = [[] for _ in range(max(depth, default=-1) + 1)]
    seen: set[int] = set()
    for root in range(blocks):
        waiting = [root]
        while waiting:
            node = waiting.pop()
            if node not in seen:
                seen.add(node)
                rows[depth[node]].append(node)
                waiting.extend(reversed(nodes[node].below))
    return rows
