"""How fast questions are answered at size: ``python -m bench.analytics``; with ``--curve`` the graph by mesh size.

Each question is asked once cold and then several times; the table says of what size the data was. A real server is
asked about the live graph and beside ingest; a day of calls and of spans is written straight into a store, and asked
in process.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any, Final

from bench import callhistory, readers, sized, tracehistory
from bench.measured import Times
from bench.result import Result

SERVICES: Final = 5000
EDGES: Final = 15_000
SPANS: Final = 10_000_000
CURVE: Final = (10, 100, 1000, 5000)
PARTS: Final = ("graph", "calls", "traces", "readers")

Row = tuple[
    str, str, str, float | None, float, float, float | None
]  # question, size, goal, first … least CPU: ms


def run(
    parts: tuple[str, ...] = PARTS, services: int = SERVICES, edges: int = EDGES, spans: int = SPANS
) -> Result:
    """The table of these parts."""
    making: dict[str, Callable[[], tuple[list[Row], dict[str, Any]]]] = {
        "graph": lambda: _graph(services),
        "calls": lambda: _calls(edges),
        "traces": lambda: _traces(spans),
        "readers": _readers,
    }
    rows: list[Row] = []
    figures: dict[str, Any] = {}
    for part in parts:
        began = time.monotonic()
        more, told = making[part]()
        rows += more
        figures |= told | {f"{part}_seconds": round(time.monotonic() - began)}
    for question, _, _, first, median, p95, cpu in rows:
        key = question.replace(" ", "_").replace(",", "")
        figures |= {f"{key}_p50_ms": round(median, 1), f"{key}_p95_ms": round(p95, 1)}
        figures |= {f"{key}_first_ms": round(first, 1)} if first is not None else {}
        figures |= {f"{key}_cpu_ms": round(cpu, 1)} if cpu is not None else {}
    load = os.getloadavg()[0]
    return Result("analytics", _table(rows) + f"\nload of the machine at the end: {load:.1f}", figures)


def curve() -> Result:
    """The live graph and its stream for meshes of several sizes, as Markdown."""
    head = "| services | edges | document | first | warm p50 | warm p95 | span → delta p95 |"
    lines, figures = [head, "|---|---|---|---|---|---|---|"], dict[str, float]()
    for services in CURVE:
        found = sized.run(services)
        cells = [
            _ms(t)
            for t in (found.graph.first or 0, found.graph.at(0.5), found.graph.at(0.95), found.delta.at(0.95))
        ]
        lines.append(f"| {services:,} | {found.edges:,} | {_bytes(found.bytes)} | {' | '.join(cells)} |")
        figures |= {
            f"{services}_{name}_ms": round(value * 1000, 1)
            for name, value in (
                ("first", found.graph.first or 0.0),
                ("warm_p95", found.graph.at(0.95)),
                ("delta_p95", found.delta.at(0.95)),
            )
        }
    return Result("curve", "\n".join(lines), figures)


def _graph(services: int) -> tuple[list[Row], dict[str, Any]]:
    found = sized.run(services)
    size = f"{services:,} services, {found.edges:,} edges, {found.edges * sized.CALLS:,} calls"
    told = {"graph_edges": found.edges, "graph_bytes": found.bytes, "graph_resident": found.resident}
    return [
        _row("graph 15 min", size, "p95 200, first 1,000", found.graph),
        _row("span to delta", size, "p95 2,000", found.delta),
    ], told


def _calls(edges: int) -> tuple[list[Row], dict[str, Any]]:
    found, parts = callhistory.run(edges)
    size = f"{edges:,} edges × 24 h, a call a second on each, {parts} parts"
    return [
        _row("top 100 edges by p95", size, "500", found["top"]),
        _row("one edge by the minute", size, "100", found["edge"]),
    ], {"calls_edges": edges, "calls_parts": parts}


def _traces(spans: int) -> tuple[list[Row], dict[str, Any]]:
    found, stored = tracehistory.run(spans)
    goals = {"id": "20", "service": "50", "attribute": "500"}
    return [_row(f"trace by {name}", f"{stored:,} spans", goals[name], found[name]) for name in goals], {
        "spans": stored
    }


def _readers() -> tuple[list[Row], dict[str, Any]]:
    found = readers.run()
    size = f"{readers.READERS} readers, each once a second"
    told = readers.figures(found)
    taken = (
        f"{told['ingest_beside_per_second']:,} of {readers.RATE:,} spans/s, {told['ingest_refused']} refused"
    )
    return [
        _row("readers alone", size, "", found.quiet),
        _row("readers beside ingest", f"{size}; {taken}", "p95 2 × alone", found.busy),
    ], told


def _row(question: str, size: str, goal: str, times: Times) -> Row:
    first = None if times.first is None else times.first * 1000
    cpu = min(times.cpu) * 1000 if times.cpu else None
    return question, size, goal, first, times.at(0.5) * 1000, times.at(0.95) * 1000, cpu


def _table(rows: list[Row]) -> str:
    lines = [
        "| question | size | goal, ms | first | warm p50 | p95 | least CPU |",
        "|---|---|---|---|---|---|---|",
    ]
    for question, size, goal, first, median, p95, cpu in rows:
        cold, used = ("" if each is None else f"{each:,.0f}" for each in (first, cpu))
        lines.append(f"| {question} | {size} | {goal} | {cold} | {median:,.0f} | {p95:,.0f} | {used} |")
    return "\n".join(lines)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"


def _bytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 10**6 else f"{size / 1e3:.0f} kB"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.analytics", description=__doc__)
    parser.add_argument("parts", nargs="*", default=PARTS, help=f"of {', '.join(PARTS)}; all without any")
    parser.add_argument("--curve", action="store_true", help="the graph for meshes of several sizes")
    parser.add_argument("--services", type=int, default=SERVICES)
    parser.add_argument("--edges", type=int, default=EDGES, help="of the day of calls")
    parser.add_argument("--spans", type=int, default=SPANS)
    chosen = parser.parse_args()
    if wrong := {*chosen.parts} - {*PARTS}:
        parser.error(f"no such part: {', '.join(sorted(wrong))}")
    result = (
        curve() if chosen.curve else run(tuple(chosen.parts), chosen.services, chosen.edges, chosen.spans)
    )
    result.show()


if __name__ == "__main__":
    main()
