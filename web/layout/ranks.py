"""Rows of the layered layout: cycles are broken, then every callee stands below all of its callers."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence

from web.layout.topology import Pair

Neighbours = dict[str, list[str]]


def adjacency(pairs: Iterable[Pair]) -> tuple[Neighbours, Neighbours]:
    """(callees by caller, callers by callee), in the order of the pairs."""
    below: Neighbours = defaultdict(list)
    above: Neighbours = defaultdict(list)
    for source, target in pairs:
        below[source].append(target)
        above[target].append(source)
    return below, above


def acyclic(nodes: Iterable[str], pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs, those turned round that close a cycle; depth first from the nodes with most callees."""
    below, above = adjacency(pairs)
    backward: set[Pair] = set()
    state: dict[str, bool] = {}  # present: visited; True: still on the path
    for start in sorted(nodes, key=lambda node: (len(above[node]) - len(below[node]), node)):
        if start not in state:
            backward |= _backward(start, below, state)
    return [
        (target, source) if (source, target) in backward else (source, target) for source, target in pairs
    ]


def _backward(start: str, below: Neighbours, state: dict[str, bool]) -> set[Pair]:
    found: set[Pair] = set()
    path = [(start, iter(below[start]))]
    state[start] = True
    while path:
        node, callees = path[-1]
        callee = next(callees, None)
        if callee is None:
            state[node] = False
            path.pop()
        elif callee not in state:
            state[callee] = True
            path.append((callee, iter(below[callee])))
        elif state[callee]:
            found.add((node, callee))
    return found


def ranks(nodes: Iterable[str], oriented: Sequence[Pair]) -> dict[str, int]:
    """Row of each node, 0 at the top: the longest path from a root; roots then move down to their callees."""
    below, above = adjacency(sorted(set(oriented)))
    waiting = {node: len(above[node]) for node in nodes}
    ready = deque(sorted(node for node, callers in waiting.items() if not callers))
    rank = dict.fromkeys(waiting, 0)
    order: list[str] = []
    while ready:
        node = ready.popleft()
        order.append(node)
        for callee in below[node]:
            rank[callee] = max(rank[callee], rank[node] + 1)
            waiting[callee] -= 1
            if not waiting[callee]:
                ready.append(callee)
    for node in order:
        if below[node] and not above[node]:
            rank[node] = min(rank[callee] for callee in below[node]) - 1
    top = min(rank.values(), default=0)
    return {node: row - top for node, row in rank.items()}
