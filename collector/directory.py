"""Who is known by which name and address, for names that are resolved when they are read (semantics R4.3, R5.3, R5.4).

Buckets keep a target as its callers name it; what that name *is* may become known later. The directory is small (one
entry per service and address), changes rarely, and a reader gets an immutable view of it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
import polars as pl

from collector.calls import Calls

REMEMBERED: Final = 3600.0
"""s that an address stands for the service that was seen there."""
SAID: Final = {
    "address": pl.String(),  # "" for the service itself
    "service": pl.String(),
    "stated": pl.Int64(),  # unix s, when a resource said so last; 0 never
    "taught": pl.Int64(),  # unix s, when calls did
    "calls": pl.Int64(),  # that do
}
"""What the store keeps of the directory."""


@dataclass(frozen=True)
class Names:
    """The names of one moment: ``addresses`` holds those that exactly one service has."""

    services: frozenset[str] = frozenset()
    addresses: Mapping[str, str] = field(default_factory=dict)

    def __hash__(self) -> int:
        return id(self)

    def resolve(self, name: str, namespace: str) -> str:
        """R5.3, R5.4: the service that ``name`` is for a caller in ``namespace``; ``name`` itself if it is none."""
        return _resolve(self, name, namespace)

    def _so_named(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for service in self.services:
            found.setdefault(service.rpartition("/")[2], []).append(service)
        return found


@lru_cache(maxsize=65536)
def _resolve(names: Names, name: str, namespace: str) -> str:
    if name in names.addresses:
        return names.addresses[name]
    host = _host(name)
    for form in (name, host):
        own = f"{namespace}/{form}" if namespace else form
        if own in names.services:
            return own
        if "/" in form and form in names.services:
            return form
        if len(alike := _alike(names).get(form, [])) == 1:
            return alike[0]
    labels = host.split(".")
    if len(labels) == 2 or (len(labels) > 2 and labels[2] == "svc"):  # x.ns, x.ns.svc, x.ns.svc.cluster.local
        there = f"{labels[1]}/{labels[0]}"
        return there if there in names.services else name
    return name


@lru_cache(maxsize=4)
def _alike(names: Names) -> dict[str, list[str]]:
    return names._so_named()


def _host(name: str) -> str:
    """Without a port; an IPv6 address keeps its colons."""
    host, _, port = name.rpartition(":")
    return host if host and port.isdigit() and ":" not in host else name


def taught(calls: Calls) -> pl.DataFrame:
    """What a difference of calls says of addresses, for :meth:`Directory.learn`.

    Returns:
        ``address``, ``service``; ``calls``: how many rows say so now, ``taken``: how many say so no longer.
    """
    named = calls.names.select(address="learned", service="target").with_row_index("series")
    # What is taken back is negative, a call that weighs nothing too (−0.0).
    back = pl.Series("taken", np.signbit(calls.rows["calls"].to_numpy()).astype(np.int64))
    signed = calls.rows.select("series").with_columns(back, calls=1 - back)
    met = signed.join(named.filter(pl.col("address") != ""), on="series")
    return met.group_by("address", "service").agg(pl.col("calls", "taken").sum())


@dataclass(slots=True)
class _Met:
    """A service at an address."""

    last: float  # s, when calls said so the last time
    calls: int  # that say so


_NEVER: Final = _Met(0.0, 0)


class Directory:
    """Fed by the commits, read by the graph.

    What resources say stays for an hour; what calls taught goes earlier if they are taken back (R1.1). How many said so
    is known of this process, and of an earlier one as it was noted last.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._services: dict[str, float] = {}
        self._seen: dict[str, dict[str, float]] = {}
        self._met: dict[str, dict[str, _Met]] = {}
        self._names = Names()
        self._changed = False

    def note(self, services: Iterable[str], addresses: pl.DataFrame, now: float) -> None:
        """Remember services that reported, and from where (``address``, "" where not stated; ``service``)."""
        with self._lock:
            here = dict.fromkeys(services, now)
            self._changed |= not here.keys() <= self._services.keys()
            self._services |= here
            stated = addresses.filter(pl.col("address") != "")
            for address, service in stated.select("address", "service").iter_rows():
                there = self._seen.setdefault(address, {})
                self._changed |= service not in there or now - there[service] > REMEMBERED
                there[service] = now

    def learn(self, calls: pl.DataFrame, now: float) -> None:
        """Remember who answered where, as :func:`taught` says, or forget it with the last call that says so (R5.4)."""
        columns = calls.select("address", "service", "calls", "taken")
        with self._lock:
            for address, service, more, less in columns.iter_rows():
                there = self._met.setdefault(address, {})
                met = there.get(service)
                if met is None and more:
                    there[service] = _Met(now, more)  # whoever counted what is taken back, it was not we
                elif met is not None:
                    self._changed |= now - met.last > REMEMBERED
                    met.calls += more - less
                    met.last = now if more else met.last
                    if met.calls <= 0:
                        del there[service]
                self._changed |= (service in there) != (met is not None)

    def said(self) -> pl.DataFrame:
        """All that is known, as :data:`SAID`."""
        with self._lock:
            rows = [("", service, at, 0.0, 0) for service, at in self._services.items()]
            for address in {*self._seen, *self._met}:
                stated, met = self._seen.get(address, {}), self._met.get(address, {})
                for service in {*stated, *met}:
                    taught = met.get(service, _NEVER)
                    rows.append((address, service, stated.get(service, 0), taught.last, taught.calls))
        whole = [(address, service, int(at), int(last), calls) for address, service, at, last, calls in rows]
        return pl.DataFrame(whole, schema=SAID, orient="row")

    def restore(self, said: pl.DataFrame) -> None:
        """Add what an earlier process knew (:data:`SAID`); what is known already stays as it is."""
        with self._lock:
            for address, service, stated, met, calls in said.select(list(SAID)).iter_rows():
                if not address:
                    self._services.setdefault(service, stated)
                elif stated:
                    self._seen.setdefault(address, {}).setdefault(service, stated)
                if met and calls > 0:
                    self._met.setdefault(address, {}).setdefault(service, _Met(met, calls))
            self._changed = True

    def names(self, now: float) -> Names:
        """The view of this moment; the same object while nothing has changed."""
        with self._lock:
            if self._forget(now) or self._changed:
                self._names = Names(frozenset(self._services), self._single())
                self._changed = False
            return self._names

    def _single(self) -> dict[str, str]:
        """The addresses that one service has, whoever says so."""
        there = {a: {*self._seen.get(a, ()), *self._met.get(a, ())} for a in {*self._seen, *self._met}}
        return {address: next(iter(who)) for address, who in there.items() if len(who) == 1}

    def _forget(self, now: float) -> bool:
        old = [(a, s) for a, there in self._seen.items() for s, at in there.items() if now - at > REMEMBERED]
        for address, service in old:
            del self._seen[address][service]
        gone = [
            (a, s)
            for a, there in self._met.items()
            for s, met in there.items()
            if now - met.last > REMEMBERED
        ]
        for address, service in gone:
            del self._met[address][service]
        self._seen = {address: there for address, there in self._seen.items() if there}
        self._met = {address: there for address, there in self._met.items() if there}
        return bool(old or gone)
