"""The work per span when a trace comes in 1, 4 or 16 batches: each batch derives its traces again, whole.

With n batches the k-th one derives k/n of the trace, so that a span is derived (n + 1) / 2 times. What is measured is
less, because a batch has a price of its own beside that of its spans.
"""

from __future__ import annotations

import time
from typing import Final

import numpy as np
import pyarrow as pa

from bench import bodies
from bench.result import Result
from collector import rollup, spans
from collector.consumer import Signal
from collector.receivers import otlp
from collector.traces import Traces

BATCHES: Final = (1, 4, 16)
_HOPS: Final = 16  # 32 spans a trace
_REQUESTS: Final = 10
_ROUNDS: Final = 5


def run() -> Result:
    """Least of some rounds for each number of batches."""
    requests = [otlp.decode(Signal.SPANS, made.body).records for made in bodies.synthetic(_REQUESTS, _HOPS)]
    table = spans.flatten(requests).table
    cost = dict.fromkeys(BATCHES, float("inf"))
    for _ in range(_ROUNDS):
        for count in BATCHES:
            cost[count] = min(cost[count], _derive(_split(table, count)) / table.num_rows * 1e6)
    lines = [f"{'batches a trace':<16}{'µs/span':>9}{'× one batch':>13}{'derived, × a span':>19}"]
    lines += [f"{n:<16}{c:>9.2f}{c / cost[1]:>13.2f}{(n + 1) / 2:>19.1f}" for n, c in cost.items()]
    return Result("rederive", "\n".join(lines), {f"us_per_span_{n}": round(c, 3) for n, c in cost.items()})


def _split(table: pa.Table, count: int) -> list[pa.Table]:
    """Batches that each hold an equal share of every trace, what ended first coming first, as exporters send it."""
    trace = table["trace_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    ended = np.lexsort((_ints(table, "start") + _ints(table, "duration"), trace))
    shares = ended.reshape(-1, count, 2 * _HOPS // count)
    return [table.take(pa.array(shares[:, nth].reshape(-1))) for nth in range(count)]


def _ints(table: pa.Table, name: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    values: np.ndarray[tuple[int], np.dtype[np.int64]] = table[name].cast(pa.int64()).to_numpy()
    return values


def _derive(batches: list[pa.Table]) -> float:
    """CPU of deriving, rolling up and keeping, in s."""
    traces = Traces()
    began = time.process_time()
    for number, batch in enumerate(batches):
        derived = traces.derive(batch)
        rollup.buckets(derived.rows)
        traces.keep(derived, float(number))
    return time.process_time() - began


def main() -> None:
    """The command line."""
    run().show()


if __name__ == "__main__":
    main()
