"""Proxy spans that are no ends of calls: they are taken out, and their children belong to their parent (R7.2, R7.4)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from collector import model, walk
from collector.walk import AT_CALLING, CALLED, LOCAL, Bools, Forest, Ints

_PREFIX: Final = "proxy("


def named_proxy(service: str) -> pl.Expr:
    """The column ``service`` as the node that its hops are (R7.2)."""
    return pl.concat_str(pl.lit(_PREFIX), service, pl.lit(")")).alias(service)


def bearer(node: str) -> str:
    """The service whose hop a node is; of another node, itself."""
    return node[len(_PREFIX) : -1] if node.startswith(_PREFIX) and node.endswith(")") else node


@dataclass(frozen=True, slots=True)
class Proxies:
    """What decides which spans are hops, row by row."""

    kind: NDArray[np.int8]
    proxy: Bools
    sidecar: Bools  # a proxy whose node id says so
    trace: Ints
    here: Bools  # not a stub of a span that is elsewhere


def without(spans: Forest, of: Proxies) -> tuple[Forest, Bools]:
    """The forest without hops, and which spans those were; they are left in it as lone local spans."""
    gone = np.zeros(spans.size, dtype=bool)
    while (hops := _hops(spans, of)).any():
        spans, gone = _taken_out(spans, hops), gone | hops
    if (between := _sidecars(spans, of, gone)).any():
        spans, gone = _taken_out(spans, between), gone | between
    return spans, gone


def _taken_out(spans: Forest, gone: Bools) -> Forest:
    """A child of a span whose parent was lost has lost its parent too."""
    parent = spans.parent
    into = np.where(gone & (parent >= 0), parent, -1)
    top = walk.representatives(into)  # a span that stays, or one that goes and has no parent
    above = np.where(parent >= 0, top[parent], -1)
    rootless = (above >= 0) & gone[above]
    has_parent_id = np.where(rootless, spans.has_parent_id[above], spans.has_parent_id)
    above = np.where(rootless | gone, -1, above)
    return replace(
        spans,
        parent=above,
        has_parent_id=has_parent_id & ~gone,
        side=np.where(gone, LOCAL, spans.side).astype(np.int8),
    )


def _hops(spans: Forest, of: Proxies) -> Bools:
    """R7.2: of a CLIENT → SERVER pair inside one service of which exactly one is a proxy's, the proxy's span."""
    hops = np.zeros(spans.size, dtype=bool)
    if not of.proxy.any():
        return hops
    ended = walk.walk_up(spans)
    above = ended.at
    pair = (ended.end == AT_CALLING) & (spans.side == CALLED) & (spans.service[above] == spans.service)
    pair &= (of.kind == model.SERVER) & (of.kind[above] == model.CLIENT) & (of.proxy != of.proxy[above])
    server = np.nonzero(pair)[0]
    hops[np.where(of.proxy[server], server, above[server])] = True
    return hops


def _sidecars(spans: Forest, of: Proxies, gone: Bools) -> Bools:
    """R7.4: sidecars with names of their own, where application spans lie on both sides.

    A name is the proxy's own when no application span of the trace bears it. Its spans that hang together are left out
    as one, and only if one of the application spans is next to them: a service that is known by its sidecar alone,
    between two other sidecars, stays.
    """
    if not of.sidecar.any():
        return np.zeros(spans.size, dtype=bool)
    stays = of.here & ~gone & ~spans.cyclic
    application = stays & ~of.proxy
    names = pl.DataFrame({"trace": of.trace, "service": spans.service})
    theirs = names.filter(pl.Series(application)).unique().with_columns(borne=True)
    borne = names.join(theirs, on=["trace", "service"], how="left", maintain_order="left")["borne"]
    sidecar = stays & of.sidecar & ~borne.fill_null(value=False).to_numpy()
    parent = spans.parent
    run = sidecar & (parent >= 0) & sidecar[parent] & (spans.service == spans.service[parent])
    first = walk.representatives(np.where(run, parent, -1))
    children = np.nonzero(application & (parent >= 0))[0]
    next_to = application[parent] & (parent >= 0)
    next_to[first[parent[children]]] = True
    between = _above(spans, application) & _below(spans, application) & next_to
    found: Bools = sidecar & between[first]
    return found


def _above(spans: Forest, application: Bools) -> Bools:
    """Whether a span has an application's span above it."""
    parent = spans.parent
    top = walk.representatives(np.where((parent >= 0) & ~application[parent], parent, -1))
    found: Bools = parent[top] >= 0
    return found


def _below(spans: Forest, application: Bools) -> Bools:
    """Whether a span has an application's span below it: told upwards in steps that double."""
    parent = spans.parent
    found = np.zeros(spans.size, dtype=bool)
    found[parent[application & (parent >= 0)]] = True
    jump = parent
    while (further := jump >= 0).any():
        found[jump[found & further]] = True
        jump = np.where(further, jump[jump], -1)
    return found
