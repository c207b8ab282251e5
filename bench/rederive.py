"""The work per span when a trace comes in 1, 4 or 16 batches, through the real deriver and store.

Calls are derived about once a second. Batches of a trace that come within one second are derived together: each span
once. Where they come a second apart the k-th of n derives k/n of the trace again, so that a span is derived
(n + 1) / 2 times. A derivation has a price of its own, whatever it holds; it is measured with one span.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa

from bench import bodies
from bench.result import Result
from collector import spans
from collector.coded import Coded
from collector.consumer import Signal
from collector.deriver import Deriver
from collector.directory import Directory
from collector.receivers import otlp
from collector.rollup import LiveWindow
from collector.telemetry import Counters
from store.engines import telemetry_engine
from store.migrate import migrate
from store.sink import StoreSink

BATCHES: Final = (1, 4, 16)
_HOPS: Final = 16  # 32 spans a trace
_REQUESTS: Final = 40
_ROUNDS: Final = 3
_FIRST: Final = int(time.time())


def run() -> Result:
    """Least of some rounds for each number of batches."""
    requests = [otlp.decode(Signal.SPANS, made.body).records for made in bodies.synthetic(_REQUESTS, _HOPS)]
    table = spans.flatten(requests).table
    cases = list(itertools.product((False, True), BATCHES))
    cost = dict.fromkeys(cases, float("inf"))
    with tempfile.TemporaryDirectory(prefix="meshscope-bench-") as folder:
        engine = telemetry_engine(None, Path(folder) / "data")
        migrate(engine, "telemetry")
        sink = StoreSink(engine)
        for _ in range(_ROUNDS):
            for apart, count in cases:
                took = _derive(sink, _split(table, count), apart=apart)
                cost[apart, count] = min(cost[apart, count], took / table.num_rows * 1e6)
        alone = min(_derive(sink, [table.slice(0, 1)], apart=False) for _ in range(_ROUNDS))
        engine.dispose()
    lines = [
        f"{'batches a trace':<16}{'within 1 s: µs/span':>21}{'× one batch':>13}"
        f"{'1 s apart: µs/span':>20}{'× one batch':>13}{'derived, × a span':>19}"
    ]
    for n in BATCHES:
        together, apart_ = cost[False, n], cost[True, n]
        lines.append(
            f"{n:<16}{together:>21.2f}{together / cost[False, 1]:>13.2f}"
            f"{apart_:>20.2f}{apart_ / cost[True, 1]:>13.2f}{(n + 1) / 2:>19.1f}"
        )
    lines.append(f"a derivation of one span: {alone * 1000:.0f} ms; {table.num_rows} spans in all")
    figures = {f"{'apart' if a else 'within'}/us_per_span_{n}": round(c, 3) for (a, n), c in cost.items()}
    return Result("rederive", "\n".join(lines), figures | {"seconds_alone": round(alone, 4)})


def _split(table: pa.Table, count: int) -> list[pa.Table]:
    """Batches that each hold an equal share of every trace, what ended first coming first, as exporters send it."""
    trace = table["trace_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    ended = np.lexsort((_ints(table, "start") + _ints(table, "duration"), trace))
    shares = ended.reshape(-1, count, 2 * _HOPS // count)
    return [table.take(pa.array(shares[:, nth].reshape(-1))) for nth in range(count)]


def _ints(table: pa.Table, name: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    values: np.ndarray[tuple[int], np.dtype[np.int64]] = table[name].cast(pa.int64()).to_numpy()
    return values


def _derive(sink: StoreSink, batches: list[pa.Table], *, apart: bool) -> float:
    """CPU, of all threads, of deriving, storing and keeping the calls, in s."""
    deriver = Deriver(sink, LiveWindow(), Directory(), Counters())
    deriver.start()
    arrived = [_arriving(batch, _FIRST + (nth if apart else 0)) for nth, batch in enumerate(batches)]
    began = time.process_time()
    for batch in arrived:
        deriver.add(batch)
        if apart:
            deriver.run()
    deriver.run()
    return time.process_time() - began


def _arriving(batch: pa.Table, second: int) -> Coded:
    at = batch.schema.get_field_index("arrived")
    column = pa.array(np.full(batch.num_rows, second), pa.int64()).cast(batch.schema.field(at).type)
    return Coded.of(batch.set_column(at, batch.schema.field(at), column))


def main() -> None:
    """The command line."""
    run().show()


if __name__ == "__main__":
    main()
