"""Which requests a route means, compared with those of another: covers, meets, comes first. Pure functions.

Conditions on one header are compared as far as their text tells: a value lies in every prefix that it begins
with. What a regex matches is not looked into (only RE2 is safe to ask): `unclear` says where that matters.
"""

from __future__ import annotations

from collections.abc import Sequence

from proxy_plugin.policy import HeaderMatch, Route


def covers(outer: Route, inner: Route) -> bool:
    """Whether every request that matches `inner` matches `outer` as well."""
    return _path_covers(outer.path_prefix, inner.path_prefix) and all(
        name in inner.headers and _holds(match, inner.headers[name]) for name, match in outer.headers.items()
    )


def overlap(one: Route, other: Route) -> bool:
    """Whether a request can match both while neither of them is narrower: then no order decides."""
    return same(one, other) or (
        intersection(one, other) is not None and not covers(one, other) and not covers(other, one)
    )


def unclear(one: Route, other: Route) -> bool:
    """Whether a request may match both, and only a regex knows."""
    shared = [(one.headers[name], other.headers[name]) for name in one.headers.keys() & other.headers.keys()]
    open_pairs = [pair for pair in shared if _incomparable(*pair)]
    rest = [pair for pair in shared if pair not in open_pairs]
    return bool(open_pairs) and _paths_meet(one, other) and all(_holds(a, b) or _holds(b, a) for a, b in rest)


def same(one: Route, other: Route) -> bool:
    return one.path_prefix == other.path_prefix and one.headers == other.headers


def intersection(one: Route, other: Route) -> Route | None:
    """The route of the requests that match both; None when there are none."""
    if not _paths_meet(one, other):
        return None
    path = max(one.path_prefix, other.path_prefix, key=len)
    headers = dict(other.headers)
    for name, match in one.headers.items():
        there = headers.setdefault(name, match)
        if _holds(there, match):
            headers[name] = match
        elif not _holds(match, there):
            return None
    return Route.model_construct(path_prefix=path, headers=headers)  # of parts that were checked


def meet(routes: Sequence[Route], most: int | None = None) -> list[Route]:
    """The routes and all their intersections, so that a request in two of them finds one that merges both.

    Ends early with `most` + 1 of them.
    """
    found: dict[tuple[str, frozenset[tuple[str, HeaderMatch]]], Route] = {}
    todo = list(routes)
    while todo and (most is None or len(found) <= most):
        route = todo.pop()
        key = (route.path_prefix, frozenset(route.headers.items()))
        if key in found:
            continue
        todo += [both for known in found.values() if (both := intersection(route, known)) is not None]
        found[key] = route
    return list(found.values())


def narrowness(route: Route) -> tuple[int, int, int, int, str]:
    """The larger, the earlier Envoy tries it: never after one that covers it.

    More headers, then the longer path, then more exact values, then longer prefixes.
    """
    matches = route.headers.values()
    exact = sum(match.exact is not None for match in matches)
    prefixes = sum(len(match.prefix or "") for match in matches)
    return len(route.headers), len(route.path_prefix), exact, prefixes, route.path_prefix


def _paths_meet(one: Route, other: Route) -> bool:
    one_path, other_path = one.path_prefix, other.path_prefix
    return _path_covers(one_path, other_path) or _path_covers(other_path, one_path)


def _path_covers(outer: str, inner: str) -> bool:
    return inner == outer or inner.startswith(outer if outer.endswith("/") else outer + "/")


def _holds(outer: HeaderMatch, inner: HeaderMatch) -> bool:
    """Whether every value that matches `inner` is known to match `outer`."""
    if outer == inner:
        return True
    known = inner.exact or inner.prefix
    return outer.prefix is not None and known is not None and known.startswith(outer.prefix)


def _incomparable(one: HeaderMatch, other: HeaderMatch) -> bool:
    return one != other and (one.regex or other.regex) is not None
