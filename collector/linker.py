"""Spans of whole traces → calls. A pure function, vectorised; one function per rule of the semantics.

A call is a row that adds to one edge, in one second. What two sides say of it stays apart: ``client_*`` columns are
filled from the calling span, ``server_*`` from the called one, and never from the other. Rows only ever add up.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from collector import calls, model, walk
from collector.calls import UNKNOWN, USER
from collector.walk import AT_CALLED, AT_CALLING, BEHIND_LOCAL, CALLED, CALLING, LOCAL, ROOT, Bools, Ints

LINKED: Final = (
    "trace",  # number of the trace, the same for all of its spans
    "span",  # u64
    "parent",  # u64, 0 for none
    "start",  # ns
    "duration",  # ns
    "kind",
    "service",
    "version",
    "instance",
    "operation",
    "protocol",
    "peer",
    "peer_kind",
    "peer_version",
    "destination",
    "failure",
    "flags",
    "proxy",
    "role",
    "attempts",
    "resend",
    "weight",
)
"""The columns of a span that decide calls."""


def link(spans: pl.DataFrame) -> pl.DataFrame:
    """Derive the calls of whole traces.

    Args:
        spans: columns :data:`LINKED`, each span once, all spans of each trace.

    Returns:
        Rows with ``trace``, ``time`` (s), the series key and sums of :mod:`collector.model`, and ``client_bin`` and
        ``server_bin`` (histogram bins, null where that side was not seen).
    """
    if spans.is_empty():
        return _no_calls()
    return _Linker(spans).calls()


@dataclass(frozen=True, slots=True)
class _Calls:
    """Calls by the rows of the spans that show their two sides (−1 = not seen)."""

    client: Ints
    server: Ints
    with_client: Bools  # this row carries the client's side of the call
    failed: Bools
    attempts: NDArray[np.float64]
    entry: pl.Series  # who called, where no client span says so


class _Linker:
    """The traces of one derivation as arrays, and the rules over them."""

    def __init__(self, spans: pl.DataFrame) -> None:
        self.spans = spans.with_row_index("row")
        self.kind = spans["kind"].to_numpy()
        self.service = spans["service"].rank("dense").cast(pl.Int32).to_numpy()
        self.proxy = spans["proxy"].to_numpy()
        self.id, self.start = spans["span"].to_numpy(), spans["start"].to_numpy()
        self.attempts = spans["attempts"].to_numpy().astype(np.float64)
        self.told = self.spans.select("row", *calls.TOLD)
        self.failed = ~spans["failure"].is_in([model.OK, model.CANCELLED]).to_numpy()
        parents, has_parent = self._parents()
        self.forest = _without_hops(walk.forest(parents, has_parent, self.kind, self.service), self.proxy)
        self.walk = walk.walk_up(self.forest, np.arange(self.forest.size))
        self.call_of = walk.representatives(self._nested_calling())
        self.served_by = walk.representatives(self._nested_called())

    def _parents(self) -> tuple[Ints, Bools]:
        """Parents by span id inside one trace (R1.3). Of a shared id the called half is the parent (R2.5)."""
        ids = self.spans.select("trace", "span", "kind", "service", "row")
        if ids.select("trace", "span").n_unique() < ids.height:
            called = pl.col("kind").is_in([model.SERVER, model.CONSUMER])
            ids = ids.sort(~called, "service").unique(["trace", "span"], keep="first", maintain_order=True)
        found = self.spans.select("trace", "parent").join(
            ids.select("trace", "span", at=pl.col("row").cast(pl.Int64)),
            left_on=["trace", "parent"],
            right_on=["trace", "span"],
            how="left",
            maintain_order="left",
        )
        return found["at"].fill_null(-1).to_numpy(), (self.spans["parent"] != 0).to_numpy()

    def _nested_calling(self) -> Ints:
        """R2.3: a calling span under a calling span of its service is the same call, unless both name other targets."""
        above = self.walk.at
        nested = (self.forest.side == CALLING) & (self.walk.end == AT_CALLING)
        nested &= self.service[above] == self.service
        peer = self.spans["peer"].to_numpy()
        return np.where(nested & ~_contradict(peer, peer[above]), above, -1)

    def _nested_called(self) -> Ints:
        """R2.1: a called span under a called span of its service is the same call if the instance can be the same."""
        above = self.walk.at
        nested = (self.forest.side == CALLED) & (self.walk.end == AT_CALLED)
        nested &= self.service[above] == self.service
        instance = self.spans["instance"].to_numpy()
        silent = (instance == "") | (instance[above] == "")
        proxied = self.proxy | self.proxy[above]
        return np.where(nested & (silent | proxied | (instance == instance[above])), above, -1)

    def calls(self) -> pl.DataFrame:
        """All rows of all rules."""
        live = ~self.forest.cyclic
        stands = self.served_by == np.arange(self.forest.size)
        called = (self.forest.side == CALLED) & stands & live
        calling = (self.forest.side == CALLING) & (self.call_of == np.arange(self.forest.size)) & live
        paired = called & (self.walk.end == AT_CALLING)
        return self._rows(
            [
                self._pairs(paired),
                self._unpaired_clients(
                    calling & ~_members(self.call_of[self.walk.at[paired]], self.forest.size)
                ),
                self._unpaired_servers(called & ~paired),
                self._jobs(live & (self.forest.side == LOCAL)),
            ]
        )

    def _pairs(self, paired: Bools) -> _Calls:
        """R3.2: per client call one row for each of its servers; the first carries the client's side."""
        server = np.nonzero(paired)[0]
        client = self.call_of[self.walk.at[server]]
        order = np.lexsort((self.id[server], self.start[server], client))
        server, client = server[order], client[order]
        first = np.append(True, client[1:] != client[:-1])[: len(client)]
        seen = self._seen_server(server)
        servers = np.bincount(client, minlength=self.forest.size)[client]
        failures = np.bincount(client, self.failed[seen], self.forest.size)[client]
        return _Calls(
            client=self._seen_client(client),
            server=seen,
            with_client=first,
            failed=self.failed[seen] | (first & (failures == 0) & self.failed[client]),
            attempts=np.where(first, np.maximum(self.attempts[client], servers), 0.0),
            entry=_nobody(len(server)),
        )

    def _unpaired_clients(self, alone: Bools) -> _Calls:
        """R5: the target is known from its callers only."""
        client = np.nonzero(alone)[0]
        return _Calls(
            client=self._seen_client(client),
            server=np.full(len(client), -1),
            with_client=np.ones(len(client), dtype=bool),
            failed=self.failed[client],
            attempts=self.attempts[client],
            entry=_nobody(len(client)),
        )

    def _unpaired_servers(self, alone: Bools) -> _Calls:
        """R4 and R2.1: roots, missing callers, callers without a client span."""
        server = np.nonzero(alone)[0]
        return self._served(self._seen_server(server), self._entry(server))

    def _jobs(self, local: Bools) -> _Calls:
        """R3.4: a parentless local span is a job that its service served; it has no edge."""
        job = np.nonzero(local & ~self.forest.has_parent_id)[0]
        return self._served(job, pl.Series([""], dtype=pl.String).new_from_index(0, len(job)))

    def _served(self, seen: Ints, entry: pl.Series) -> _Calls:
        return _Calls(
            client=np.full(len(seen), -1),
            server=seen,
            with_client=np.zeros(len(seen), dtype=bool),
            failed=self.failed[seen],
            attempts=np.ones(len(seen)),
            entry=entry,
        )

    def _seen_client(self, client: Ints) -> Ints:
        """R7.3: the client's sample is the outermost calling span that is no proxy, else the outermost."""
        return self._preferred(self.call_of, client)

    def _seen_server(self, server: Ints) -> Ints:
        """R7.3: the server's sample is the outermost called span that is no proxy, else the outermost."""
        return self._preferred(self.served_by, server)

    def _preferred(self, stands_for: Ints, rows: Ints) -> Ints:
        inner = np.nonzero(~self.proxy & (stands_for != np.arange(self.forest.size)))[0]
        duration = self.spans["duration"].to_numpy()[inner]
        outermost_last = inner[np.lexsort((self.id[inner], -self.start[inner], duration))]
        best = np.arange(self.forest.size)
        best[stands_for[outermost_last]] = outermost_last
        return np.where(self.proxy[rows], best[rows], rows)

    def _rows(self, parts: list[_Calls]) -> pl.DataFrame:
        """All calls at once: what it costs to name and weigh them hardly depends on how many they are."""
        columns = {f.name: [getattr(part, f.name) for part in parts] for f in fields(_Calls)}
        entry = pl.concat(columns.pop("entry"))
        arrays = {name: np.concatenate(pieces) for name, pieces in columns.items()}
        sides = [self._side(arrays.pop("client"), "c_"), self._side(arrays.pop("server"), "s_")]
        rows = pl.concat(sides, how="horizontal").with_columns(
            entry.alias("entry"), **{name: pl.Series(array) for name, array in arrays.items()}
        )
        return calls.shape(rows)

    def _side(self, rows: Ints, prefix: str) -> pl.DataFrame:
        index = pl.Series(rows).replace(-1, None)
        return self.told.select(pl.all().gather(index).name.prefix(prefix))

    def _entry(self, server: Ints) -> pl.Series:
        """Name of the caller of a server that has no client span."""
        end, at = self.walk.end[server], self.walk.at[server]
        service, peer = self.spans["service"].to_numpy(), self.spans["peer"].to_numpy()[server]
        outside = np.where(peer != "", peer, np.where(end == ROOT, USER, UNKNOWN))
        inside = (end == AT_CALLED) | (end == BEHIND_LOCAL)
        return pl.Series(np.where(inside, service[at], outside), dtype=pl.String)


def _nobody(count: int) -> pl.Series:
    return pl.Series([None], dtype=pl.String).new_from_index(0, count)


def _members(rows: Ints, size: int) -> Bools:
    mask = np.zeros(size, dtype=bool)
    mask[rows] = True
    return mask


def _contradict(a: NDArray[Any], b: NDArray[Any]) -> Bools:
    """Both name a target, and the names disagree: neither is the other without its port (R2.3)."""
    names = np.stack([a, b], axis=1)
    pairs = pl.DataFrame({"a": names[:, 0], "b": names[:, 1]}, schema={"a": pl.String, "b": pl.String})
    same = (pl.col("a") == pl.col("b")) | pl.any_horizontal(
        pl.col("a").str.starts_with(pl.concat_str("b", pl.lit(":"))),
        pl.col("b").str.starts_with(pl.concat_str("a", pl.lit(":"))),
    )
    return pairs.select(x=(pl.col("a") != "") & (pl.col("b") != "") & ~same)["x"].to_numpy()


def _without_hops(spans: walk.Forest, proxy: Bools) -> walk.Forest:
    """R7.2: of a pair inside one service of which exactly one is a proxy's, the proxy's span is taken out.

    Taken out means walked through, as a local span is: its children belong to its parent.
    """
    ended = walk.walk_up(spans, np.nonzero(spans.side == CALLED)[0])
    above = ended.at
    pair = (ended.end == AT_CALLING) & (spans.side == CALLED)
    pair &= (spans.service[above] == spans.service) & (proxy != proxy[above])
    if not pair.any():
        return spans
    server = np.nonzero(pair)[0]
    taken = np.where(proxy[server], server, above[server])
    side = spans.side.copy()
    side[taken] = LOCAL
    return walk.Forest(spans.parent, spans.has_parent_id, side, spans.service, spans.cyclic)


def _no_calls() -> pl.DataFrame:
    text = dict.fromkeys(model.SERIES_KEY, pl.String)
    sums = dict.fromkeys(model.SUMS, pl.Float64)
    bins = {"client_bin": pl.Int16, "server_bin": pl.Int16}
    return pl.DataFrame(schema={"trace": pl.Int64, "time": pl.Int64, **text, **sums, **bins})
