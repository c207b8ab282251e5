"""How many calls a sampled span stands for (semantics R9), and what is wrong with what it says of that."""

from __future__ import annotations

from functools import cache
from typing import Final

import polars as pl

UNREADABLE: Final = "unreadable_weight"
"""The ``ot`` entry says something that is no weight: the span counts as one call."""
EXTREME: Final = "extreme_weight"
"""It says a weight that no sampler gives. It counts as it is."""
_EXTREME: Final = 1e6


@cache
def weight(tracestate: str) -> pl.Expr:
    """Sampling weight: 2^56 / (2^56 − T) of ``ot=th:T``, else 2^n of the older ``p:n``, else 1. Always finite."""
    return pl.coalesce(_stated(tracestate), pl.lit(1.0))


@cache
def flaw(tracestate: str) -> pl.Expr:
    """:data:`UNREADABLE`, :data:`EXTREME` or "". Randomness (``rv``) without a threshold is no weight, nor a flaw."""
    entry, stated = _entry(tracestate), _stated(tracestate)
    threshold = _has("th", entry) & _threshold(entry).is_null()
    nothing = stated.is_null() & (_has("p", entry) | ~_has("rv", entry))
    return (
        pl.when((threshold | nothing).fill_null(value=False)).then(pl.lit(UNREADABLE))
        .when((stated > _EXTREME).fill_null(value=False)).then(pl.lit(EXTREME))
        .otherwise(pl.lit(""))
    )  # fmt: skip


def _entry(tracestate: str) -> pl.Expr:
    """What the member with exactly this key says, null where there is none."""
    return pl.col(tracestate).str.extract(r"(?:^|,)\s*ot=([^,]*?)\s*(?:,|$)", 1)


def _has(key: str, entry: pl.Expr) -> pl.Expr:
    return entry.str.contains(rf"(?:^|;){key}:")


def _stated(tracestate: str) -> pl.Expr:
    """The weight, null where none can be read."""
    entry = _entry(tracestate)
    # As integers: the smallest probabilities differ from 0 in bits that a float no longer has.
    kept = 2**56 - _threshold(entry).str.to_integer(base=16, strict=False)
    power = entry.str.extract(r"(?:^|;)p:(\d{1,2})(?:;|$)", 1).cast(pl.Float64, strict=False)
    older = pl.when(power == 63).then(0.0).when(power < 63).then(pl.lit(2.0).pow(power))
    return pl.coalesce(float(2**56) / kept, older)


def _threshold(entry: pl.Expr) -> pl.Expr:
    """T in 14 digits, null where it is not stated so."""
    return entry.str.extract(r"(?:^|;)th:([0-9a-f]{1,14})(?:;|$)", 1).str.pad_end(14, "0")
