"""Breaker states of caller instances → of edges and nodes; and the columns in which states travel. Pure functions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final

import polars as pl

KEY: Final = ["source", "instance", "target", "version"]
"""A caller instance, and what it calls: ``version`` is * where all versions share one cluster."""

STATES: Final = ("unknown", "closed", "half_open", "open")
"""In the order in which one decides over another."""
OPENING: Final = ("requests", "pending", "overflow", "all_ejected")
"""Why a breaker is open: at the limit of requests or of pending ones, calls found no room lately, no host is left."""
REASONS: Final = (*OPENING, "ejection", "panic")
"""And what does not open it: some hosts are ejected; ejected hosts are routed to all the same."""

CALLERS: Final = {
    **dict.fromkeys(KEY, pl.String),
    "state": pl.String,  # one of STATES
    "since": pl.Float64,  # unix s
    "reasons": pl.String,  # those of REASONS that hold, joined with commas
    "ejected": pl.Float64,
    "hosts": pl.Float64,
}
TRANSITIONS: Final = {
    "time": pl.Float64,  # unix s
    **dict.fromkeys(KEY, pl.String),
    "host": pl.String,  # of an ejection or its end: the host; else "", and it is about the whole
    "before": pl.String,  # one of STATES; of a host: in, ejected
    "state": pl.String,  # the same, from then on
    "reasons": pl.String,  # those that hold from then on, joined with commas; of a host: Envoy's kind of ejection
    "ejected": pl.Float64,
    "hosts": pl.Float64,
}


@dataclass(frozen=True, slots=True)
class Breaker:
    """One target as its callers' proxies see it."""

    state: str  # open if one caller's is, half_open if one's is, else closed
    since: float  # unix s; of closed: since the last of them closed
    callers_open: int
    callers: int  # that report
    ejected: int
    hosts: int
    panic: bool
    reasons: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """The ``breaker`` object of an edge or node, without its time."""
        found = asdict(self)
        del found["since"]
        return found | {"reasons": list(self.reasons)}


def by_edge(callers: pl.DataFrame) -> dict[tuple[str, str], Breaker]:
    """The breaker of every edge on which somebody reports. ``callers``: columns :data:`CALLERS`."""
    instances = _instances(callers.filter(pl.col("state") != "unknown"), ["source", "target", "instance"])
    return {(row["source"], row["target"]): _breaker(row) for row in _summed(instances, ["source", "target"])}


def by_node(callers: pl.DataFrame) -> dict[str, Breaker]:
    """The same of every target: as all of its callers see it."""
    instances = _instances(callers.filter(pl.col("state") != "unknown"), ["source", "target", "instance"])
    return {row["target"]: _breaker(row) for row in _summed(instances, ["target"])}


def _instances(callers: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """One row per caller instance and target. Clusters per version, and the one of all, hold the same hosts."""
    rank = pl.col("state").replace_strict(STATES, range(len(STATES)), return_dtype=pl.Int8)
    worst, every = pl.col("rank") == pl.col("rank").max(), pl.col("version") == "*"
    return (
        callers.with_columns(rank=rank)
        .group_by(key)
        .agg(
            pl.col("rank").max(),
            since=_since(worst),
            reasons=pl.col("reasons").unique().str.join(","),
            **{
                name: pl.max_horizontal(
                    pl.col(name).filter(~every).sum(), pl.col(name).filter(every).max().fill_null(0.0)
                )
                for name in ("ejected", "hosts")
            },
        )
    )


def _summed(instances: pl.DataFrame, key: list[str]) -> list[dict[str, Any]]:
    worst = pl.col("rank") == pl.col("rank").max()
    return (
        instances.group_by(key)
        .agg(
            pl.col("rank").max(),
            since=_since(worst),
            callers_open=(pl.col("rank") == STATES.index("open")).sum(),
            callers=pl.len(),
            reasons=pl.col("reasons").unique().str.join(","),
            ejected=pl.col("ejected").max(),
            hosts=pl.col("hosts").max(),
        )
        .to_dicts()
    )


def _since(worst: pl.Expr) -> pl.Expr:
    """Closed: since the last one closed; else since the first one that is as bad."""
    then = pl.col("since").filter(worst)
    return pl.when(pl.col("rank").max() <= STATES.index("closed")).then(then.max()).otherwise(then.min())


def _breaker(row: dict[str, Any]) -> Breaker:
    reasons = set(row["reasons"].split(","))
    return Breaker(
        state=STATES[row["rank"]],
        since=row["since"],
        callers_open=row["callers_open"],
        callers=row["callers"],
        ejected=int(row["ejected"]),
        hosts=int(row["hosts"]),
        panic="panic" in reasons,
        reasons=tuple(reason for reason in REASONS if reason in reasons),
    )
