"""``meshscope graph``: the edges of the graph as a table."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from web.terminal.api import Api, Data, Token, Url
from web.terminal.looks import look, width

if TYPE_CHECKING:
    from web.shapes import Json

_PATH: Final = "/api/v1/graph"
_WORST: Final = {"failing": 0, "degraded": 1, "healthy": 2, "idle": 3}
_COLOURS: Final = {"failing": "red", "degraded": "yellow"}
Sort = Literal["health", "rate", "errors", "p95", "name"]


def graph(
    start: Annotated[str, typer.Option(help="RFC 3339, unix seconds or relative.")] = "now-15m",
    end: Annotated[str, typer.Option(help="The same.")] = "now",
    group_by: Annotated[
        Literal["service", "version", "namespace", "operation"], typer.Option(help="What a node is.")
    ] = "service",
    namespace: Annotated[str, typer.Option(help="Only this one and what it talks to.")] = "",
    focus: Annotated[str, typer.Option(help="Only what is near this node.")] = "",
    depth: Annotated[int, typer.Option(min=1, max=10, help="How many calls away from it.")] = 1,
    messaging: Annotated[
        Literal["collapsed", "expanded"], typer.Option(help="Destinations between producers and consumers.")
    ] = "collapsed",
    hops: Annotated[
        Literal["collapsed", "expanded"], typer.Option(help="Proxies as nodes, or not.")
    ] = "collapsed",
    idle: Annotated[bool, typer.Option(help="Also what is silent.")] = False,
    sort: Annotated[Sort, typer.Option(help="The worst, busiest … first.")] = "health",
    limit: Annotated[int, typer.Option(min=0, help="At most so many edges; 0: all.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: the document of the API.")] = False,
    watch: Annotated[bool, typer.Option(help="Again and again, until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 2.0,
    data: Data = None,
    url: Url = "",
    token: Token = "",
) -> None:
    """Who calls whom, how often, with how many failures, how fast."""
    # Over 40 lines: an option with its help in each line.
    asked = {"start": start, "end": end, "group_by": group_by, "messaging": messaging, "depth": str(depth)}
    asked |= {"namespace": namespace, "focus": focus, "idle": str(idle).lower(), "hops": hops}

    def show(api: Api) -> str:
        document = api.get(_PATH, asked)
        return json.dumps(document) if as_json else shown(document, sort, limit, width())

    look(data, url, token, show, every=interval if watch else None, clear=watch and not as_json)


def shown(document: Json, sort: Sort, limit: int, most: int | None) -> str:
    """The table of a graph document, and a line that says what it is of."""
    from web.terminal.table import table

    edges = sorted(document["edges"], key=_order(sort))
    kept = edges[:limit] if limit else edges
    lines = table(_HEADS, [_row(edge) for edge in kept], most)
    for number, edge in enumerate(kept, 1):
        if colour := _COLOURS.get(edge["health"]):
            lines[number] = typer.style(lines[number], fg=colour)
    more = f", {len(edges) - len(kept)} more edges (--limit 0)" if len(kept) < len(edges) else ""
    words = (
        f"{len(document['nodes'])} nodes, {len(edges)} edges, {document['start']} to {document['end']}{more}"
    )
    return "\n".join((*lines, words))


_HEADS: Final = (
    "SOURCE", "TARGET", "PROTOCOL", "CALLS>", "RATE>", "FAILED>", "P50>", "P95>", "P99>", "RETRIES>", "HEALTH", "",
)  # fmt: skip


def _row(edge: dict[str, Any]) -> list[str]:
    from web.ui.formats import count, duration, rate, share

    latency = edge["server"]["latency_ms"] or edge["client"]["latency_ms"] or {}
    found = edge["discrepancy"]["findings"] if edge["discrepancy"] else []
    breaker = (edge["breaker"] or {}).get("state")
    notes = [each["what"] for each in found] + (
        [f"breaker {breaker}"] if breaker not in (None, "closed") else []
    )
    protocol = edge["protocol"] or ("message" if edge["kind"] == "messaging" else "–")
    return [
        *(edge["source"], edge["target"], protocol),
        *(count(edge["calls"]), rate(edge["rate"]), share(edge["error_rate"])),
        *(duration(latency.get(name)) for name in ("p50", "p95", "p99")),
        *(count(edge["retries"]), edge["health"], ", ".join(notes)),
    ]


def _order(sort: Sort) -> Callable[[dict[str, Any]], tuple[Any, ...]]:
    def key(edge: dict[str, Any]) -> tuple[Any, ...]:
        latency = edge["server"]["latency_ms"] or edge["client"]["latency_ms"] or {"p95": -1.0}
        by: dict[str, tuple[float, ...]] = {
            "health": (_WORST[edge["health"]], -edge["rate"]),
            "rate": (-edge["rate"],),
            "errors": (-(edge["error_rate"] or 0.0), -edge["failed"]),
            "p95": (-latency["p95"],),
            "name": (),
        }
        return (*by[sort], edge["source"], edge["target"], edge["kind"])

    return key
