"""Walks on directed graphs given as mappings from a node to the nodes that follow it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

Graph = Mapping[str, Sequence[str]]


def reached(graph: Graph, roots: Iterable[str], *, without: str | None = None) -> frozenset[str]:
    """The roots and every node some way leads to from them; no way goes on through `without`."""
    seen = set(roots)
    waiting = [node for node in seen if node != without]
    while waiting:
        for node in graph.get(waiting.pop(), ()):
            if node not in seen:
                seen.add(node)
                if node != without:
                    waiting.append(node)
    return frozenset(seen)


def turned(graph: Graph) -> dict[str, list[str]]:
    """The graph with every arrow the other way round."""
    found: dict[str, list[str]] = {}
    for source, targets in graph.items():
        for target in targets:
            found.setdefault(target, []).append(source)
    return found


def dominators(graph: Graph, root: str) -> dict[str, str]:
    """The immediate dominator of every node that can be reached: the last node common to all ways to it.

    The root is its own. Cooper, Harvey and Kennedy, "A Simple, Fast Dominance Algorithm", 2001.
    """
    order = _postorder(graph, root)
    number = {node: index for index, node in enumerate(order)}
    before = turned(graph)
    found = {root: root}
    changed = True
    while changed:
        changed = False
        for node in reversed(order[:-1]):
            known = [one for one in before.get(node, ()) if one in found]
            common = known[0]
            for other in known[1:]:
                common = _meet(common, other, found, number)
            if found.get(node) != common:
                found[node] = common
                changed = True
    return found


def _meet(one: str, other: str, found: Mapping[str, str], number: Mapping[str, int]) -> str:
    while one != other:
        while number[one] < number[other]:
            one = found[one]
        while number[other] < number[one]:
            other = found[other]
    return one


def _postorder(graph: Graph, root: str) -> list[str]:
    order: list[str] = []
    seen = {root}
    stack = [(root, iter(graph.get(root, ())))]
    while stack:
        node, following = stack[-1]
        for target in following:
            if target not in seen:
                seen.add(target)
                stack.append((target, iter(graph.get(target, ()))))
                break
        else:
            order.append(node)
            stack.pop()
    return order
