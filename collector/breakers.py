"""Circuit-breaker state per caller instance, target and version, from the gauges and counters that Envoy reports.

Envoy knows no half-open state. ``cx_open`` is left out on purpose: an idle pooled connection alone can hold it at 1.
"open" = calls are turned away: requests or pending requests are at their limit, calls overflowed within the last
seconds (gauges are samples, and a short trip falls between two of them), or every host is ejected and none is routed
to. Who does not report is "unknown", never "closed".
"""

from __future__ import annotations

import threading
from typing import Final

import polars as pl

from collector.breaker_edges import CALLERS as SEEN
from collector.breaker_edges import KEY, OPENING, REASONS, TRANSITIONS, Breaker, by_edge

_PREFIX: Final = "envoy.cluster."
_GAUGES: Final = {
    "circuit_breakers.default.rq_open": "requests",
    "circuit_breakers.default.rq_pending_open": "pending",
    "outlier_detection.ejections_active": "ejected",
    "membership_healthy": "healthy",
    "membership_total": "hosts",
}
_OVERFLOW: Final = "upstream_rq_pending_overflow"
_PANIC: Final = "lb_healthy_panic"
_EVERY_VERSION: Final = "*"  # our control plane names clusters service|version
SHOWN_FOR: Final = 5.0  # s that an overflow, or a call to an ejected host, is shown
FRESH: Final = 30.0  # s after which a silent caller is unknown, and forgotten
COUNTED_FOR: Final = 900.0  # s of which overflows are counted
MOST_CALLERS: Final = (
    200_000  # rows; beyond so many, new ones are not taken in: whoever sends these is no mesh of ours
)
_MOST_HOSTS: Final = 100_000  # ejected at once; the newest stay
_MOST_OVERFLOWS: Final = 200_000  # rows; the newest stay

_HELD: Final = {
    **dict.fromkeys(KEY, pl.String),
    **dict.fromkeys(_GAUGES.values(), pl.Float64),
    **dict.fromkeys(("overflowed", "panicked", "seen"), pl.Float64),
    **{f"since_{reason}": pl.Float64 for reason in REASONS},
    "state": pl.String,
    "since": pl.Float64,
}
_HOSTS: Final = {**dict.fromkeys((*KEY, "host", "state", "reasons"), pl.String), "time": pl.Float64}
_OVERFLOWS: Final = {**dict.fromkeys(KEY, pl.String), "time": pl.Float64, "calls": pl.Float64}


class Breakers:
    """The latest that every caller instance said of every cluster. Columns: a row per caller instance and cluster."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held = pl.DataFrame(schema=_HELD)
        self._overflows = pl.DataFrame(schema=_OVERFLOWS)
        self._hosts = pl.DataFrame(schema=_HOSTS)
        self._edges: tuple[float, dict[tuple[str, str], Breaker]] | None = None

    def update(self, points: pl.DataFrame, now: float) -> pl.DataFrame:
        """Take in rows of :data:`collector.model.POINTS`; the :data:`TRANSITIONS` that they, and time, have made."""
        said = _said(points, now)
        with self._lock:
            before = self._held
            silent = before.filter(now - pl.col("seen") >= FRESH)
            kept = before.filter(now - pl.col("seen") < FRESH)
            self._held = _judged(_joined(kept, said), now)
            gone = _judged(silent.join(said, on=KEY, how="anti"), now)
            changed = _transitions(before, pl.concat([self._held, gone]), now)
            self._count(said, now)
            self._let_in(now)
            self._edges = None
        return changed

    def callers(self, now: float) -> pl.DataFrame:
        """What is known of every caller: columns :data:`collector.breaker_edges.CALLERS`, ``healthy``, ``seen``,
        ``overflowed`` (unix s), and ``since_`` of each of :data:`REASONS` (unix s, null where it does not hold)."""
        with self._lock:
            held = self._held
        return _told(_judged(held, now))

    def note(self, ejections: pl.DataFrame) -> None:
        """Take in ejections of hosts, and their ends: rows of :data:`collector.breaker_edges.TRANSITIONS`."""
        with self._lock:
            rows = pl.concat([self._hosts, ejections.select(list(_HOSTS))])
            last = rows.sort("time", maintain_order=True).unique([*KEY, "host"], keep="last")
            self._hosts = last.filter(pl.col("state") == "ejected").tail(_MOST_HOSTS)

    def ejected_hosts(self) -> pl.DataFrame:
        """Hosts that are ejected: KEY, ``host``, ``time`` (since then, unix s) and ``reasons``, Envoy's kind."""
        with self._lock:
            return self._hosts

    def overflows(self, since: float) -> pl.DataFrame:
        """Calls that found no room since then (unix s), at most of the last quarter of an hour, per caller."""
        with self._lock:
            found = self._overflows.filter(pl.col("time") >= since)
        return found.group_by(KEY).agg(pl.col("calls").sum())

    def edge(self, source: str, target: str, now: float) -> Breaker | None:
        """State between two services; None where no proxy reports on it."""
        edges = self.edges(now)
        return edges.get((source, target)) or edges.get((source, as_reported(target)))

    def edges(self, now: float) -> dict[tuple[str, str], Breaker]:
        """The same for all edges; worked out once for everybody who asks at the same moment."""
        if (known := self._edges) is None or known[0] != now:
            known = self._edges = now, by_edge(self.callers(now))
        return known[1]

    def _let_in(self, now: float) -> None:
        """An edit of a cluster ends its ejections, and Envoy tells of it by the gauge alone."""
        if self._hosts.height:
            none = self._held.filter(pl.col("ejected").fill_null(0.0) <= 0)
            old = self._hosts.filter(pl.col("time") < now - SHOWN_FOR).join(none, on=KEY, how="semi")
            self._hosts = self._hosts.join(old, on=[*KEY, "host"], how="anti")

    def _count(self, said: pl.DataFrame, now: float) -> None:
        tripped = said.filter(pl.col("overflowed").is_not_null())
        if tripped.is_empty() and self._overflows.is_empty():
            return
        new = tripped.select(*KEY, pl.lit(float(now)).alias("time"), "calls")
        kept = self._overflows.filter(pl.col("time") > now - COUNTED_FOR)
        self._overflows = pl.concat([kept, new]).tail(_MOST_OVERFLOWS)


def as_reported(target: str) -> str:
    """Envoy writes a colon in a cluster's name as an underscore: psp.example_8443."""
    return target.replace(":", "_")


def _said(points: pl.DataFrame, now: float) -> pl.DataFrame:
    """One row for each caller and cluster: its last gauges, whether calls overflowed and how many."""
    named = points.with_columns(pl.col("metric").str.strip_prefix(_PREFIX))
    wanted = named.filter(
        (pl.col("cluster") != "") & pl.col("metric").is_in([*_GAUGES, _OVERFLOW, _PANIC])
    ).sort("time")
    version = pl.col("cluster").str.extract(r"(?s)\|(.*)$")
    return (
        wanted.with_columns(
            source="service",
            target=pl.col("cluster").str.extract(r"(?s)^([^|]*)"),
            version=pl.when(version.fill_null("") == "").then(pl.lit(_EVERY_VERSION)).otherwise(version),
        )
        .group_by(KEY)
        .agg(
            *(_of(metric).last().alias(name) for metric, name in _GAUGES.items()),
            calls=_of(_OVERFLOW).sum(),
            panics=_of(_PANIC).sum(),
        )
        .select(
            *KEY,
            *_GAUGES.values(),
            overflowed=pl.when(pl.col("calls") > 0).then(pl.lit(float(now))),
            panicked=pl.when(pl.col("panics") > 0).then(pl.lit(float(now))),
            seen=pl.lit(float(now)),
            calls="calls",
        )
    )


def _joined(held: pl.DataFrame, said: pl.DataFrame) -> pl.DataFrame:
    """What was held, with what is said now in its place."""
    known, new = said.join(held, on=KEY, how="semi"), said.join(held, on=KEY, how="anti")
    said = pl.concat([known, new.head(max(0, MOST_CALLERS - held.height))])
    both = held.join(said, on=KEY, how="full", coalesce=True, suffix="_said")
    names = [name for name in said.columns if name in _HELD and name not in KEY]
    news = (pl.coalesce(f"{name}_said", name).alias(name) for name in names)
    return both.with_columns(news).select(list(_HELD))


def _of(metric: str) -> pl.Expr:
    return pl.col("value").filter(pl.col("metric") == metric)


def _judged(held: pl.DataFrame, now: float) -> pl.DataFrame:
    """With the state of now, and since when each reason for it holds."""
    heard = now - pl.col("seen") < FRESH
    ejection, panic = pl.col("ejected") > 0, (now - pl.col("panicked") < SHOWN_FOR).fill_null(value=False)
    holds = {
        "requests": pl.col("requests") > 0,
        "pending": pl.col("pending") > 0,
        "overflow": now - pl.col("overflowed") < SHOWN_FOR,
        "ejection": ejection,
        "all_ejected": ejection & (pl.col("ejected") >= pl.col("hosts")) & ~panic,
        "panic": panic,
    }
    reasons = held.with_columns(
        pl.when(heard & holds[reason])
        .then(pl.coalesce(f"since_{reason}", pl.lit(float(now))))
        .alias(f"since_{reason}")
        for reason in REASONS
    )
    opened = pl.any_horizontal(pl.col(f"since_{reason}").is_not_null() for reason in OPENING)
    state = (
        pl.when(~heard).then(pl.lit("unknown")).when(opened).then(pl.lit("open")).otherwise(pl.lit("closed"))
    )
    same = (state == pl.col("state")).fill_null(value=False)
    since = pl.when(same).then("since").when(heard).then(pl.lit(float(now))).otherwise("seen")
    return reasons.with_columns(state=state, since=since)


def _told(judged: pl.DataFrame) -> pl.DataFrame:
    known = [pl.when(pl.col(f"since_{reason}").is_not_null()).then(pl.lit(reason)) for reason in REASONS]
    return judged.with_columns(
        reasons=pl.concat_str(known, separator=",", ignore_nulls=True),
        ejected=pl.col("ejected").fill_null(0.0),
        hosts=pl.col("hosts").fill_null(0.0),
    ).select(*SEEN, "healthy", "seen", "overflowed", *(f"since_{reason}" for reason in REASONS))


def _transitions(before: pl.DataFrame, after: pl.DataFrame, now: float) -> pl.DataFrame:
    """Rows whose state, panic or number of ejected hosts are others than before.

    Not whose reasons are: under load a gauge is at its limit in one sample and not in the next.
    """
    panic = pl.col("since_panic").is_not_null()
    was = _told(before).select(*KEY, "state", "ejected", panic=panic)
    told = _told(after).with_columns(panic=panic)
    both = told.join(was, on=KEY, how="left", suffix="_before")
    changed = pl.any_horizontal(
        pl.col(name).ne_missing(pl.col(f"{name}_before")) for name in ("state", "panic", "ejected")
    )
    return (
        both.filter(changed)
        .select(
            pl.lit(float(now)).alias("time"),
            *KEY,
            pl.lit("").alias("host"),
            pl.col("state_before").fill_null("unknown").alias("before"),
            "state",
            "reasons",
            "ejected",
            "hosts",
        )
        .cast(pl.Schema(TRANSITIONS))
    )
