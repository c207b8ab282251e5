"""Histograms of others, explicit bounds or exponential, in our bins (:mod:`collector.histogram`).

What a bucket holds is taken to lie evenly in it, as a reader of Prometheus' buckets does: it is spread over up to
eight values. Buckets of one bounds add up before anything is read from them, so several writers merge exactly; the
error of a percentile is the width of the writer's bucket, and no reader can make it less.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

_BINS_PER_DOUBLING: Final = 32
_MOST_SLICES: Final = 8
_NS: Final = 1e6  # of a millisecond, the unit of the metrics that we read
_LONGEST: Final = 2.0**64  # ns

Bins = dict[int, float]


def explicit(point: Mapping[str, Any]) -> Bins:
    """A point of ``Histogram``: bucket i holds (bounds[i−1], bounds[i]], the last one all above.

    A point without buckets has no bins; counts without a bound to their name are left out.
    """
    bounds, counts = point["explicit_bounds"] or [], point["bucket_counts"] or []
    if not bounds:
        return {}
    edges = [min(0.0, bounds[0]), *bounds, _open_end(bounds[-1], point["max"])]
    return _bins(zip(edges, edges[1:], counts, strict=False))


def _open_end(last: float, largest: float | None) -> float:
    """What lies above the last bound has no end but the largest value, where the writer states it."""
    return largest if largest is not None and last < largest < math.inf else last


def exponential(point: Mapping[str, Any]) -> Bins:
    """A point of ``ExponentialHistogram``: bucket i holds (base^i, base^(i+1)], base = 2^(2^−scale)."""
    positive = point["positive"] or {"offset": 0, "bucket_counts": []}
    per_doubling = 2.0 ** point["scale"]
    first = positive["offset"]
    filled = [(first + i, n) for i, n in enumerate(positive["bucket_counts"] or []) if n]
    buckets = [(_power(index / per_doubling), _power((index + 1) / per_doubling), n) for index, n in filled]
    zero = point["zero_count"] or 0
    return _bins([*buckets, (0.0, 0.0, zero)])


def _power(exponent: float) -> float:
    return math.exp2(max(-1000.0, min(exponent, 1000.0)))


def _bins(buckets: Iterable[tuple[float, float, int]]) -> Bins:
    found: Bins = {}
    for low, high, count in buckets:
        if not count:
            continue
        slices = _slices(low, high)
        for i in range(slices):
            index = _bin(low + (high - low) * (i + 0.5) / slices)
            found[index] = found.get(index, 0.0) + count / slices
    return found


def _slices(low: float, high: float) -> int:
    """As many values as there are bins of ours in a bucket, eight at most."""
    if not 0 < low < high:
        return _MOST_SLICES if low < high else 1
    return max(1, min(_MOST_SLICES, round(math.log2(high / low) * _BINS_PER_DOUBLING)))


def _bin(milliseconds: float) -> int:
    """As :func:`collector.histogram.bin_of` does it; NaN, which no writer should send, is 0."""
    value = min(max(milliseconds * _NS, 1.0), _LONGEST) if milliseconds == milliseconds else 1.0
    return math.ceil(math.log2(value) * _BINS_PER_DOUBLING) - 1
