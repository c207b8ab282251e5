"""How many calls a sampled span stands for (semantics R9), and what is wrong with what it says of that.

The entry ``ot`` of tracestate says it; where there is none, the attribute that is configured for it. The entry decides
wherever it says anything of a weight, even what nobody can read, and in it the threshold before the older power.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa

from collector.distinct import distinct

UNREADABLE: Final = "unreadable_weight"
"""What says the weight says something that is none: the span counts as one call."""
EXTREME: Final = "extreme_weight"
"""It says a weight that no sampler gives. It counts as it is."""
_EXTREME: Final = 1e6
_RAREST: Final = 2.0**-63  # a probability below would make sums that are not finite


@cache
def weight(tracestate: str, probability: str) -> pl.Expr:
    """Sampling weight, 1 where none can be read. Always finite.

    Args:
        tracestate: the column of that: 2^56 / (2^56 − T) of ``ot=th:T``, else 2^n of the older ``p:n``.
        probability: the column of what the configured attribute says, null where it is absent: 1 / p.
    """
    stated = pl.when(_silent(tracestate)).then(_of_probability(probability)).otherwise(_stated(tracestate))
    return stated.fill_null(1.0)


@cache
def flaw(tracestate: str, probability: str) -> pl.Expr:
    """:data:`UNREADABLE`, :data:`EXTREME` or "". Randomness (``rv``) without a threshold is no weight, nor a flaw."""
    silent = _silent(tracestate)
    stated = pl.when(silent).then(_of_probability(probability)).otherwise(_stated(tracestate))
    says = ~silent | pl.col(probability).is_not_null()
    return (
        pl.when(says & stated.is_null()).then(pl.lit(UNREADABLE))
        .when((stated > _EXTREME).fill_null(value=False)).then(pl.lit(EXTREME))
        .otherwise(pl.lit(""))
    )  # fmt: skip


def flaws(states: pa.Array, probabilities: pa.Array | None) -> dict[str, int]:
    """How many spans have which flaw; ``probabilities``: what the configured attribute says, None where none has it."""
    if probabilities is None:  # a hash table less
        coded = states.drop_null().dictionary_encode()
        said, which = {"state": coded.dictionary}, coded.indices.to_numpy()
    else:
        one, which = distinct([states, probabilities], len(states))
        rows = pa.array(one)
        said = {"state": states.take(rows), "probability": probabilities.take(rows)}
    schema = {"state": pl.String, "probability": pl.String}
    named = pl.DataFrame({name: said.get(name) for name in schema}, schema=schema)
    flawed = named.select(flaw=flaw(*schema), n=pl.Series(np.bincount(which, minlength=named.height)))
    return dict(flawed.filter(pl.col("flaw") != "").group_by("flaw").agg(pl.col("n").sum()).iter_rows())


def _silent(tracestate: str) -> pl.Expr:
    """Whether tracestate says nothing of a weight: it has no entry, or one with randomness alone."""
    entry = _entry(tracestate)
    alone = _has("rv", entry) & ~_has("th", entry) & ~_has("p", entry)
    return alone.fill_null(value=True)


def _entry(tracestate: str) -> pl.Expr:
    """What the member with exactly this key says, null where there is none."""
    return pl.col(tracestate).str.extract(r"(?:^|,)\s*ot=([^,]*?)\s*(?:,|$)", 1)


def _has(key: str, entry: pl.Expr) -> pl.Expr:
    return entry.str.contains(rf"(?:^|;){key}:")


def _stated(tracestate: str) -> pl.Expr:
    """The weight that the entry says, null where none can be read."""
    entry = _entry(tracestate)
    # As integers: the smallest probabilities differ from 0 in bits that a float no longer has.
    kept = 2**56 - _threshold(entry).str.to_integer(base=16, strict=False)
    power = entry.str.extract(r"(?:^|;)p:(\d{1,2})(?:;|$)", 1).cast(pl.Float64, strict=False)
    older = pl.when(power == 63).then(0.0).when(power < 63).then(pl.lit(2.0).pow(power))
    return pl.when(_has("th", entry)).then(float(2**56) / kept).otherwise(older)


def _threshold(entry: pl.Expr) -> pl.Expr:
    """T in 14 digits, null where it is not stated so."""
    return entry.str.extract(r"(?:^|;)th:([0-9a-fA-F]{1,14})(?:;|$)", 1).str.pad_end(14, "0")


def _of_probability(column: str) -> pl.Expr:
    """1 / p of a p in (0, 1], null where none can be read."""
    p = pl.col(column).cast(pl.Float64, strict=False)
    return pl.when((p >= _RAREST) & (p <= 1.0)).then(1.0 / p)
