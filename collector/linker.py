"""Spans of whole traces → calls. A pure function, vectorised; one function per rule of the semantics.

A call is a row that adds to one edge, in one second. What two sides say of it stays apart: ``client_*`` columns are
filled from the calling span, ``server_*`` from the called one, and never from the other. Rows only ever add up.

Over 300 lines: one class holds the arrays that all rules share; each rule is a short method, named by its number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from collector import creations, deliveries, groups, hops, model, names, parents, shaping, walk
from collector.calls import Calls
from collector.coded import SPAN
from collector.distinct import masked
from collector.groups import Groups
from collector.twice import seen_twice
from collector.waiting import waits
from collector.walk import AT_CALLED, AT_CALLING, BEHIND_LOCAL, CALLED, CALLING, LOCAL, ROOT, Bools, Ints

_NESTED: Final = 64  # spans of one call inside each other that are looked through for its server


@dataclass(frozen=True, slots=True)
class _Calls:
    """Calls by the rows of the spans that stand for their two sides (−1 = not seen)."""

    client: Ints
    server: Ints
    target: Ints  # a span of the target that shows no server side
    with_client: Bools  # this row carries the client's side of the call
    leads: Bools  # the first row of its client call, or of its message
    failed: Bools
    cancelled: Bools
    inferred: Bools
    attempts: NDArray[np.float64]
    by_name: Bools  # the caller is known by a name only
    entry: Ints  # who called, where no client span says so (see collector.shaping)


class Linker:
    """The traces of one derivation as arrays, and the rules over them.

    Texts are compared as numbers that are in the order of the texts, 0 for "".
    """

    def __init__(
        self,
        spans: pl.DataFrame,
        facts: pl.DataFrame,
        links: pl.DataFrame | None = None,
        stubs: pl.DataFrame | None = None,
        *,
        expanded: bool = False,
    ) -> None:
        """The rules that do not need each other's calls.

        Args:
            spans: columns :data:`collector.frames.SPANS`, each span once, all spans of each trace.
            facts: columns :data:`collector.coded.FACTS`.
            links: columns of :data:`collector.deliveries.LINK`.
            stubs: consumers elsewhere that link to here.
            expanded: no span is taken out: each stands for a node (R7.2, R7.4).
        """
        # Over 40 lines: the arrays that the rules share, each made once, in the order in which they need each other.
        spans, facts = deliveries.with_stubs(spans, facts, stubs)
        self.facts, self.fact = facts, spans["fact"].to_numpy()
        self.stub = spans["stub"].to_numpy()
        self.kind = self._said(facts["kind"])
        # R6.6: receiving and settling count as local spans, and talk to the broker beside.
        self.broker = self._said(facts["messaging"] == "receive")
        of_kind = walk.SIDE_OF_KIND[self.kind]
        side = np.where(self.broker, LOCAL, of_kind).astype(np.int8)
        codes = {name: self._said(code) for name, code in _codes(facts, "service", "instance", "telemetry")}
        self.spans = spans.with_row_index("row").with_columns(
            side=pl.Series(of_kind), kind=pl.Series(self.kind), **_series(codes)
        )
        self.rows = np.arange(spans.height)
        self.service, self.instance = codes["service"], codes["instance"]
        self.proxy = self._said(facts["proxy"])
        self.id, self.start = spans["span"].to_numpy(), spans["start"].to_numpy()
        self.attempts = self._said(facts["attempts"]).astype(np.float64)
        self.failed = self._said(~facts["failure"].is_in([model.OK, model.CANCELLED]))
        self.cancelled = self._said(facts["failure"] == model.CANCELLED)
        self.timed, self.duration = self._said(facts["timed"]), spans["duration"].to_numpy()
        self.weight, self.sampled = self._said(facts["weight"]), spans["sampled"].to_numpy()
        self.forest, self.out = self._planted(side, expanded=expanded)
        self.walk = walk.walk_up(self.forest)
        self.links = self._linking(links)
        nested = self._nested_calling()
        self.call_of = walk.representatives(nested)
        self.tries = self._tries(nested)
        self.served_by = walk.representatives(self._nested_called())
        self.created = self._created_elsewhere()
        self._group()

    def _said(self, column: pl.Series) -> NDArray[Any]:
        """What each span says, of a column of facts."""
        return column.to_numpy()[self.fact] if len(column) else np.empty(0, column.to_numpy().dtype)

    def _planted(self, side: NDArray[np.int8], *, expanded: bool) -> tuple[walk.Forest, Bools]:
        """Who is whose parent, and which spans are none's: on a cycle (R2.4), or hops (R7.2, R7.4)."""
        parent, has_parent = parents.find(self.spans)
        forest = walk.forest(np.where(self.stub, -1, parent), has_parent, side, self.service)
        out = forest.cyclic
        if not expanded:
            sidecar = self.proxy & self._said(self.facts["role"] == "sidecar")
            proxies = hops.Proxies(self.kind, self.proxy, sidecar, self.spans["trace"].to_numpy(), ~self.stub)
            forest, gone = hops.without(forest, proxies)
            out = gone | forest.cyclic
        return replace(forest, parent=self._of_stubs(forest, ~out)), out

    def _of_stubs(self, forest: walk.Forest, stays: Bools) -> Ints:
        """R6.2: a linked consumer hangs under the calling span that its link names, of several by their services."""
        if not self.stub.any():
            return forest.parent
        calling = self.spans.filter(pl.Series((forest.side == CALLING) & stays))
        named = calling.select("trace", "service", parent="span", at="row").sort("service")
        named = named.unique(["trace", "parent"], keep="first", maintain_order=True)
        stubs = self.spans.filter("stub").select("row", "trace", "parent").join(named, on=["trace", "parent"])
        parent = forest.parent.copy()
        parent[stubs["row"].to_numpy()] = stubs["at"].to_numpy()
        return parent

    def _group(self) -> None:
        """What the spans of one side say together."""
        facts = self.facts
        order = groups.Spans(
            depth=walk.depths(self.forest.parent),
            start=self.start,
            duration=self.duration,
            failed=self.failed,
            id=self.id,
        )
        self.clients, self.servers = Groups(order, self.call_of), Groups(order, self.served_by)
        self.named_by = self.clients.best(self._said(facts["peer_rank"]))  # R5.1
        self.seen_client = self.clients.representative(self.proxy, else_innermost=False)  # R7.3
        self.seen_server = self.servers.representative(self.proxy, else_innermost=True)
        serves, named = self.kind == model.SERVER, self._said(facts["peer"] != "")
        placed = self._said(facts["peer_address"] != "")
        self.caller = np.where(serves, self._fact(self.servers.first(serves & named)), -1)  # R4.3
        self.caller_address = self._fact(self.servers.first(serves & placed))
        answers = (self.walk.end == AT_CALLING) & (self.forest.side == CALLED)
        self.answered = np.where(answers, self._fact(self.walk.at), -1)  # R5.4: where its caller met it
        self.produces = (
            self.clients.first(self._said(facts["messaging"].is_in(["create", "send"]))) >= 0
        )  # R6.1
        self.node = self._destinations()

    def _destinations(self) -> Ints:
        """R6.5: the destination of each span's side, as a number of ``self.nodes``; 0 for none."""
        self.nodes, code = _numbered(self.facts["destination"])
        said = self._said(pl.Series(code))
        if not said.any():
            return np.zeros(len(said), dtype=np.int64)
        of_client, of_server = (g.first(said > 0) for g in (self.clients, self.servers))
        row = np.where(self.forest.side == CALLING, of_client, of_server)
        node = np.where(row < 0, 0, said[row])
        got = np.nonzero((self.kind == model.CONSUMER) & (self.walk.end == AT_CALLING))[0]
        got = got[self.served_by[got] == got]
        return deliveries.destinations(node, self.call_of[self.walk.at[got]], got)

    def _fact(self, rows: Ints) -> Ints:
        """The facts of these rows, −1 for none."""
        return np.where(rows < 0, -1, self.fact[rows].astype(np.int64))

    def _nested_calling(self) -> Ints:
        """R2.3: a calling span under a calling span of its service is the same call, unless both name other targets.

        An application's span and its own proxy's are never two calls (R7.2).
        """
        above = self.walk.at
        nested = (self.forest.side == CALLING) & (self.walk.end == AT_CALLING)
        nested &= self.service[above] == self.service
        inner = np.nonzero(nested & (self.proxy == self.proxy[above]))[0]
        apart = names.contradict(self.facts, self.fact[inner], self.fact[above[inner]])
        inner = inner[apart]
        if len(inner):
            around, named = np.where(nested, above, -1), self.facts["peer"].gather(self.fact[above[inner]])
            nested[inner[~self._reaches(inner, named, around)]] = False
        merged = np.where(nested, above, -1)
        creates = self._said(self.facts["messaging"] == "create") & ~self.out
        sends = self._said(self.facts["messaging"] == "send")
        return deliveries.with_creations(merged, self.links, self.spans, sends, creates)

    def _linking(self, links: pl.DataFrame | None) -> pl.DataFrame:
        """Links with the rows of the spans that have them."""
        if links is None or links.is_empty():
            return deliveries.NO_LINKED
        rows = self.spans.filter(~pl.col("stub")).select("trace", "span", "row", "side", "fact", "service")
        named = links.rename({"service": "name"}).join(rows, on=["trace", "span"])
        return named.filter(self.facts["service"].gather(named["fact"]) == named["name"]).drop("name")

    def _created_elsewhere(self) -> Bools:
        """R6.1: the calling sides that send what another trace created: no messages of their own.

        A consumer under such a send that links to the creation as well got that one: it belongs to none here.
        """
        if self.links.is_empty() or not self.links["made"].any():
            return np.zeros(self.forest.size, dtype=bool)
        said = self._said(self.facts["messaging"].replace_strict({"create": 1, "send": 2}, default=0))
        said = np.where(self.out, 0, said)
        sent = creations.sent(self.links, self.call_of, said == 2, said == 1)
        consumes = (self.kind == model.CONSUMER) & ~self.out
        under = consumes & (self.walk.end == AT_CALLING)
        side = np.where(under, self.call_of[self.walk.at], -1)
        got = creations.got(self.links, sent, side[self.served_by], consumes)
        end = self.walk.end.copy()
        end[self.served_by[got]] = ROOT
        self.walk = replace(self.walk, end=end)
        return _members(sent["call"].to_numpy(), self.forest.size)

    def hidden(self) -> tuple[Bools, Bools] | None:
        """Of the spans that are no stubs: R7.2: hops; R7.2, R7.4: what ``hops=expanded`` shows, hops and sidecars.

        A hop was taken out, or shares a side with a span of its application, whose service it bears. None: there are
        no proxies.
        """
        if not self.proxy.any():
            return None
        gone = self.out & ~self.forest.cyclic
        for heads, seen, side in (
            (self.call_of, self.seen_client, CALLING),
            (self.served_by, self.seen_server, CALLED),
        ):
            shared = self.proxy & ~self.proxy[seen[heads]] & (self.forest.side == side) & ~self.stub
            gone = gone | shared
        bearer = self.spans["trace"].to_numpy() * (int(self.service.max()) + 1) + self.service
        own = np.isin(bearer, bearer[~self.proxy & ~self.stub])
        here = ~self.stub
        return (gone & own)[here], gone[here]

    def deliveries(self) -> pl.DataFrame:
        """R6.2: each message that a consumer got through a link, as a stub for the trace of its producer.

        Columns :data:`LINKED` of the span that shows the consumer; ``high``, ``low``, ``target`` of the producing
        one; ``sampled`` (whether this delivery carries the consumer's one latency sample); ``row`` of the consumer.
        """
        return self._deliveries

    @cached_property
    def _deliveries(self) -> pl.DataFrame:
        if self.links.is_empty():
            return pl.DataFrame()
        consumer = (self.kind == model.CONSUMER) & ~self.stub & ~self.out
        found = self.links.filter(consumer[self.links["row"].to_numpy()])
        if found.is_empty():
            return pl.DataFrame()
        # A CONSUMER inside a SERVER of its service (R2.1) delivers for itself.
        stands = self.servers.first(consumer)[self.served_by[found["row"].to_numpy()]]
        links = deliveries.distinct(found.with_columns(row=pl.Series(stands)))
        links = links.filter(~self._to_own_message(links))
        row = links["row"].to_numpy()
        has_a_row = (self.served_by[row] == row) & (self.walk.end[row] != AT_CALLING)
        seen = self._written(self.seen_server[row])
        seen = seen.with_columns(destination=self.nodes.gather(pl.Series(self.node[row])))
        first = pl.col("nth") == pl.col("nth").min().over("row")
        told = links.select(*deliveries.TARGET, "row", sampled=first & pl.Series(has_a_row))
        return pl.concat([seen, told], how="horizontal")

    def _to_own_message(self, links: pl.DataFrame) -> pl.Series:
        """E4: the message that a consumer hangs under may be linked as well; that is one delivery."""
        calling = self.spans.filter(pl.Series((self.forest.side == CALLING) & ~self.out)).sort("service")
        ids = calling.select("trace", target="span", at=pl.col("row").cast(pl.Int64))
        here = links.join(ids, on=["trace", "target"], how="left", maintain_order="left_right").unique(
            ["row", *deliveries.TARGET], keep="first", maintain_order=True
        )
        at, head = here["at"].fill_null(-1).to_numpy(), self.served_by[here["row"].to_numpy()]
        under = self.walk.end[head] == AT_CALLING
        same = under & (at >= 0) & here["own"].to_numpy()
        same &= self.call_of[np.where(at < 0, 0, at)] == self.call_of[self.walk.at[head]]
        return pl.Series(same)

    def _written(self, rows: Ints) -> pl.DataFrame:
        """These spans with what they say written out: columns :data:`collector.coded.LINKED`."""
        spans = self.spans[rows].select(*SPAN, "fact")
        return pl.concat([spans.drop("fact"), self.facts[spans["fact"]]], how="horizontal")

    def _reaches(self, calling: Ints, named: pl.Series, around: Ints) -> Bools:
        """Whether a server at or below each of these calling spans is the service that is named.

        ``around``: the calling span of its service that each calling span is nested in, −1 for none.
        """
        server = np.nonzero((self.forest.side == CALLED) & (self.walk.end == AT_CALLING))[0]
        at, wanted = self.walk.at[server], _members(calling, self.forest.size)
        pairs = []
        for _ in range(_NESTED):
            here = wanted[at]
            pairs.append(
                pl.DataFrame(
                    {"at": at[here], "service": self.facts["service"].gather(self.fact[server[here]])}
                )
            )
            inside = around[at] >= 0
            server, at = server[inside], around[at[inside]]
            if not len(at):
                break
        found = pl.DataFrame({"at": calling, "named": named}).join(pl.concat(pairs).unique(), on="at")
        reached = found.filter(pl.Series(names.same(found["named"], found["service"])))["at"].to_numpy()
        return _members(reached, self.forest.size)[calling]

    def _nested_called(self) -> Ints:
        """R2.1: a called span under a called span of its service is the same call if the instance can be the same."""
        above = self.walk.at
        nested = (self.forest.side == CALLED) & (self.walk.end == AT_CALLED)
        nested &= self.service[above] == self.service
        instance = self.instance
        silent = (instance == 0) | (instance[above] == 0)
        proxied = self.proxy | self.proxy[above]
        consumers = (self.kind == model.CONSUMER) & (self.kind[above] == model.CONSUMER)  # R6.2
        one = silent | proxied | consumers | (instance == instance[above])
        same = np.where(nested & one, above, -1)
        called = (self.forest.side == CALLED) & np.isin(self.walk.end, (AT_CALLING, AT_CALLED))
        server = np.nonzero(called & (same < 0) & ~self.stub)[0]
        return np.where(same < 0, seen_twice(self.spans, server, above[server], self.forest.size), same)

    def _tries(self, nested: Ints) -> NDArray[np.float64]:
        """R3.3: attempts of each call as its calling spans show them: the innermost ones, or what a proxy states."""
        calling = self.forest.side == CALLING
        innermost = calling & ~_members(nested[nested >= 0], self.forest.size)
        stated = np.where(self.proxy, self.attempts, 1.0)[innermost]
        return np.bincount(self.call_of[innermost], stated, self.forest.size).astype(np.float64)

    def calls(self) -> Calls:
        """All rows of all rules."""
        live = ~self.out & ~(self.stub & (self.walk.end != AT_CALLING))
        called = (self.forest.side == CALLED) & (self.served_by == self.rows) & live
        calling = (self.forest.side == CALLING) & (self.call_of == self.rows) & live
        entries = self._entries() & live
        told = called & self.stub
        called[deliveries.again(self.spans, told, self.call_of[self.walk.at])] = False
        paired = (called | entries) & (self.walk.end == AT_CALLING)
        answered = _members(self.call_of[self.walk.at[paired]], self.forest.size)
        rows = self._rows(
            [
                self._pairs(paired),
                self._unpaired_clients((calling & ~answered & ~self.created) | (self.broker & live)),
                self._unpaired_servers((called | entries) & ~paired & ~told),
                self._jobs(live & (self.forest.side == LOCAL) & ~self.broker & ~entries),
            ]
        )
        return Calls.together([rows, *self._linked_deliveries(told)], pl.concat)

    def _linked_deliveries(self, told: Bools) -> list[Calls]:
        """Links as deliveries from the destination; those whose producer is stored here are taken back."""
        parts = []
        links = self.deliveries()
        if not links.is_empty():
            # A consumer without a producer in its own trace has one row already.
            row = links.filter(~pl.col("sampled"))["row"].to_numpy()
            parts.append(self._rows([self._served(row, row, _users(len(row)))], sampled=False))
        if told.any():
            row = np.nonzero(told)[0]
            parts.append(self._rows([self._served(row, row, _users(len(row)))]).negated())
        return parts

    def _entries(self) -> Bools:
        """R2.2: a calling or local span under another service's span, where no called span of its own says so."""
        parent = self.forest.parent
        under_another = (parent >= 0) & (self.service[parent] != self.service)
        entry: Bools = under_another & (self.forest.side != CALLED) & ~self.walk.passed & ~self.broker
        return entry

    def _shown(self, server: Ints) -> Ints:
        """The server's side: a called span or a local entry; a calling entry shows none (−1)."""
        return np.where(self.forest.side[server] == CALLING, -1, server)

    def _pairs(self, paired: Bools) -> _Calls:
        """R3.2: per client call one row for each of its servers; the heaviest of an edge carries the client's side."""
        server = np.nonzero(paired)[0]
        seen = self._shown(server)
        client = self.call_of[self.walk.at[server]]
        weight = np.maximum(
            self.weight[self.seen_client[client]],
            np.where(seen < 0, 0.0, self.weight[self.seen_server[seen]]),
        )
        # One edge per (source, target, kind), R3.5.
        consumes, service = self.kind[server] == model.CONSUMER, self.service[server]
        shows = np.where(seen < 0, server, self.seen_server[seen])
        by = (self.id[shows], self.start[shows], -weight, seen < 0, service, consumes, client)
        order = np.lexsort(by)
        server, seen, client, weight = server[order], seen[order], client[order], weight[order]
        leads = _changes(client) | _changes(consumes[order])
        first = leads | _changes(service[order])
        # An entry without a server side says that there was a server, not one more.
        counts = first | (seen >= 0)
        server, seen, client, weight = server[counts], seen[counts], client[counts], weight[counts]
        first, leads = first[counts], leads[counts]
        edge = np.cumsum(first) - 1
        failed, cancelled = self._ends(seen, client, edge, first)
        heaviest = np.maximum(weight, np.finfo(np.float64).tiny)
        servers = np.bincount(edge, weight, minlength=1)[edge] / heaviest
        return _Calls(
            client=client,
            server=seen,
            target=server,
            with_client=first,
            leads=leads,
            failed=failed,
            cancelled=cancelled,
            inferred=self.forest.side[server] != CALLED,
            attempts=np.where(first, np.maximum(self.tries[client], servers), 0.0),
            by_name=np.zeros(len(server), dtype=bool),
            entry=np.full(len(server), shaping.NOBODY),
        )

    def _ends(self, seen: Ints, client: Ints, edge: Ints, first: Bools) -> tuple[Bools, Bools]:
        """R3.2, R10.2: which rows failed or were cancelled; a client adds to what its servers say where they do not."""
        server, caller = self.seen_server[seen], self.seen_client[client]
        failed = np.where(seen < 0, False, self.failed[server])
        good = np.bincount(edge, failed, minlength=1)[edge] == 0
        failed |= first & good & self.failed[caller]
        cancelled = np.where(seen < 0, False, self.cancelled[server]) & ~failed
        good &= np.bincount(edge, cancelled, minlength=1)[edge] == 0
        return failed, cancelled | (first & good & ~failed & self.cancelled[caller])

    def _unpaired_clients(self, alone: Bools) -> _Calls:
        """R5: the target is known from its callers only."""
        client = np.nonzero(alone)[0]
        nothing = np.full(len(client), -1)
        every = np.ones(len(client), dtype=bool)
        return _Calls(
            client=client,
            server=nothing,
            target=nothing,
            with_client=every,
            leads=every,
            failed=self.failed[self.seen_client[client]],
            cancelled=self.cancelled[self.seen_client[client]],
            inferred=~every,
            attempts=np.maximum(self.tries[client], 1.0),
            by_name=~every,
            entry=np.full(len(client), shaping.NOBODY),
        )

    def _unpaired_servers(self, alone: Bools) -> _Calls:
        """R4, R2.1, R2.2: roots, missing callers, callers without a client span."""
        server = np.nonzero(alone)[0]
        inside = np.isin(self.walk.end[server], (AT_CALLED, BEHIND_LOCAL))
        named = ~inside & (self.caller[server] >= 0)
        return self._served(server, self._shown(server), self._entry(server), named)

    def _jobs(self, local: Bools) -> _Calls:
        """R3.4: a parentless local span is a job that its service served; it has no edge."""
        job = np.nonzero(local & ~self.forest.has_parent_id)[0]
        return self._served(job, job, np.full(len(job), shaping.SILENT))

    def _served(self, target: Ints, seen: Ints, entry: Ints, by_name: Bools | None = None) -> _Calls:
        nothing, none = np.full(len(target), -1), np.zeros(len(target), dtype=bool)
        return _Calls(
            client=nothing,
            server=seen,
            target=target,
            with_client=none,
            leads=none,
            failed=np.where(seen < 0, False, self.failed[self.seen_server[seen]]),
            cancelled=np.where(seen < 0, False, self.cancelled[self.seen_server[seen]]),
            inferred=(self.forest.side[target] != CALLED) & self.forest.has_parent_id[target],
            attempts=np.ones(len(target)),
            by_name=none if by_name is None else by_name,
            entry=entry,
        )

    def _rows(self, parts: list[_Calls], *, sampled: bool = True) -> Calls:
        """All calls at once: what it costs to name and weigh them hardly depends on how many they are."""
        a = {f.name: np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(_Calls)}
        client, server, target = a["client"], a["server"], a["target"]
        shown_client = np.where(client < 0, -1, self.seen_client[client])
        shown_server = np.where(server < 0, -1, self.seen_server[server])
        named = np.where(client < 0, -1, self.named_by[client])
        codes = {
            **{
                name: self._fact(rows)
                for name, rows in zip("csnt", (shown_client, shown_server, named, target), strict=True)
            },
            "client_node": np.where(client < 0, -1, self.node[client]),
            "server_node": np.where(server < 0, -1, self.node[server]),
            "caller_address": np.where(target < 0, -1, self.caller_address[target]),
            "answered": np.where(target < 0, -1, self.answered[target]),
            "entry": a["entry"],
            "client_produces": (client >= 0) & self.produces[client],
            "server_kind": np.where(server < 0, -1, self.kind[server]),
            **{name: a[name] for name in ("failed", "cancelled", "by_name")},
        }
        first = np.where(shown_client >= 0, shown_client, np.where(shown_server >= 0, shown_server, target))
        resend = self._said(self.facts["resend"])
        figures = {
            **{name: a[name] for name in ("with_client", "leads", "failed", "attempts", "inferred")},
            "trace": self.spans["trace"].to_numpy()[first],
            "start": self.start[first],
            "resend": (client >= 0) & resend[client],
            **self._weighed("c", shown_client),
            **self._weighed("s", shown_server),
            **self._weighed("t", target),
            "sampled": sampled & self.sampled[shown_server],
            "wait": waits(self.spans, shown_client, shown_server, self._delivers(shown_client, server)),
        }
        codes = {name: code.astype(np.int64) for name, code in codes.items()}
        return shaping.shape(codes, pl.DataFrame(figures), self.facts, self.nodes)

    def _delivers(self, client: Ints, server: Ints) -> Bools:
        """R6.8: which calls are deliveries of messages whose producer's end is known."""
        consumes: Bools = (self.kind[server] == model.CONSUMER) & (server >= 0) & (client >= 0)
        return consumes & self.timed[client] if consumes.any() else consumes

    def _weighed(self, side: str, rows: Ints) -> dict[str, pl.Series]:
        """Weight and duration (ns) of these spans, null for none, and for a duration that is not known (R3.1)."""
        none = rows < 0
        return {
            f"{side}_weight": masked(self.weight[rows], none),
            f"{side}_duration": masked(self.duration[rows], none | ~self.timed[rows]),
        }

    def _entry(self, server: Ints) -> Ints:
        """The caller of a server that has no client span; a linked delivery has none (R6.4)."""
        end, at, named = self.walk.end[server], self.walk.at[server], self.caller[server]
        unnamed = np.where(end == ROOT, shaping.ENTRY_USER, shaping.ENTRY_UNKNOWN)
        outside = np.where(named >= 0, shaping.entry_of_peer(named), unnamed)
        inside = ((end == AT_CALLED) | (end == BEHIND_LOCAL)) & ~self._is_linked(server)
        return np.where(inside, shaping.entry_of_service(self._fact(at)), outside)

    def _is_linked(self, server: Ints) -> Bools:
        links = self.deliveries()
        return np.isin(server, [] if links.is_empty() else links["row"].to_numpy())


def _users(count: int) -> Ints:
    return np.full(count, shaping.ENTRY_USER)


def _codes(facts: pl.DataFrame, *names: str) -> Iterator[tuple[str, pl.Series]]:
    """Numbers in the order of the texts, 0 for ""."""
    there = (pl.col(names) == "").any().cast(pl.Int64)
    for code in facts.select(pl.col(names).rank("dense").cast(pl.Int64) - there):
        yield code.name, code


def _numbered(texts: pl.Series) -> tuple[pl.Series, Ints]:
    """The different texts in their order, "" first, and for each text which of them it is."""
    if (texts == "").all():
        return pl.Series([""]), np.zeros(len(texts), dtype=np.int64)
    known = pl.concat([pl.Series([""]), texts]).unique().sort()
    return known, known.search_sorted(texts).cast(pl.Int64).to_numpy()


def _series(arrays: Mapping[str, NDArray[Any]]) -> dict[str, pl.Series]:
    return {name: pl.Series(array) for name, array in arrays.items()}


def _changes(values: NDArray[Any]) -> Bools:
    """Where a value differs from the one before it; the first one does."""
    return np.append(True, values[1:] != values[:-1])[: len(values)]


def _members(rows: Ints, size: int) -> Bools:
    mask = np.zeros(size, dtype=bool)
    mask[rows] = True
    return mask
