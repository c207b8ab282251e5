"""``meshscope traces``: traces as a table, and one of them as a tree."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final

import typer

from web.terminal.api import Api, Data, Token, Url
from web.terminal.looks import look, width

_PATH: Final = "/api/v1/traces"
Json = dict[str, Any]
Ms = Annotated[float | None, typer.Option(min=0, help="Milliseconds, inclusive.")]


def traces(
    trace_id: Annotated[str, typer.Argument(help="One trace, as a tree; without it, search.")] = "",
    service: Annotated[str, typer.Option(help="Node id; what follows holds on one span of it.")] = "",
    operation: Annotated[str, typer.Option(help="Name of the span, or its template.")] = "",
    tags: Annotated[list[str] | None, typer.Option("--tag", help="key:value; may be repeated.")] = None,
    error: Annotated[
        bool | None, typer.Option("--error/--no-error", help="With status error, or not.")
    ] = None,
    min_span_ms: Ms = None,
    max_span_ms: Ms = None,
    min_trace_ms: Ms = None,
    max_trace_ms: Ms = None,
    start: Annotated[str, typer.Option(help="RFC 3339, unix seconds or relative.")] = "now-1h",
    end: Annotated[str, typer.Option(help="The same.")] = "now",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Traces at most.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: the document of the API.")] = False,
    watch: Annotated[bool, typer.Option(help="Again and again, until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 2.0,
    data: Data = None,
    url: Url = "",
    token: Token = "",
) -> None:
    """Which traces have a span like this; and one trace, with what its time was spent on."""
    # Over 40 lines: an option with its help in each line.
    asked = {"service": service, "operation": operation, "start": start, "end": end, "limit": str(limit)}
    bounds = {"min_span_ms": min_span_ms, "max_span_ms": max_span_ms}
    bounds |= {"min_trace_ms": min_trace_ms, "max_trace_ms": max_trace_ms}
    more = {name: str(value) for name, value in bounds.items() if value is not None}
    more |= {} if error is None else {"error": str(error).lower()}

    def show(api: Api) -> str:
        if trace_id:
            return _one(api, trace_id, as_json)
        document = api.get(_PATH, {**asked, **more, "tag": tags or []})
        return json.dumps(document) if as_json else listed(document, width())

    again = interval if watch and not trace_id else None
    look(data, url, token, show, every=again, clear=watch and not as_json)


def _one(api: Api, trace_id: str, as_json: bool) -> str:
    from urllib.parse import quote

    path = f"{_PATH}/{quote(trace_id, safe='')}"
    document = api.get(path, {})
    if as_json:
        return json.dumps(document)
    return tree(document, api.get(f"{path}/critical-path", {}), width())


def listed(document: Json, columns: int | None) -> str:
    """The table of a search, and a line that says whether there is more."""
    from web.terminal.table import table
    from web.ui.formats import duration

    if not document["traces"]:
        return "no traces"
    rows = [
        [
            _said(trace["root"]),
            ", ".join(service["service"] for service in trace["services"]),
            trace["trace_id"],
            trace["start"][:23] + "Z",
            duration(trace["duration_ms"]),
            *(str(trace[name]) for name in ("spans", "errors", "orphans")),
        ]
        for trace in document["traces"]
    ]
    heads = ("ROOT", "SERVICES", "TRACE", "START", "DURATION>", "SPANS>", "ERRORS>", "ORPHANS>")
    more = ", and more (--limit)" if document["next_cursor"] else ""
    return "\n".join(
        (*_coloured(table(heads, rows, columns), document["traces"]), f"{len(rows)} traces{more}")
    )


def tree(document: Json, path: Json, columns: int | None) -> str:
    """The spans of a trace, children below their parents, with when and how long; and all warnings."""
    from web.terminal.table import table
    from web.ui.formats import duration

    waited: dict[str, float] = {}
    for segment in path["segments"]:
        waited[segment["span_id"]] = waited.get(segment["span_id"], 0.0) + segment["duration_ms"]
    first = min(int(span["start_unix_nano"]) for span in document["spans"])
    rows = [
        [
            "  " * span["depth"] + span["service"],
            span["operation"],
            span["kind"],
            f"+{duration((int(span['start_unix_nano']) - first) / 1e6)}",
            *(duration(span[name]) for name in ("duration_ms", "self_ms")),
            duration(waited[span["span_id"]]) if span["span_id"] in waited else "",
            span["status"] if span["status"] == "error" else "",
        ]
        for span in document["spans"]
    ]
    heads = ("SERVICE", "OPERATION", "KIND", "START>", "DURATION>", "SELF>", "CRITICAL>", "STATUS")
    failed = [{"errors": span["status"] == "error"} for span in document["spans"]]
    title = f"{document['trace_id']}  {_said(document['root'])}  {duration(document['duration_ms'])}"
    words = f"{len(rows)} spans, {document['errors']} with errors, {document['start']}"
    return "\n".join(
        (_plain(title), *_coloured(table(heads, rows, columns), failed), words, *_warnings(document))
    )


def _warnings(document: Json) -> list[str]:
    of_spans = [(span["span_id"], text) for span in document["spans"] for text in span["warnings"]]
    return [f"! {_plain(text)}" for text in document["warnings"]] + [
        f"! span {span}: {_plain(text)}" for span, text in of_spans
    ]


def _coloured(lines: list[str], rows: list[Json]) -> list[str]:
    """Rows with errors in red; the first line is the header."""
    return lines[:1] + [
        typer.style(line, fg="red") if row["errors"] else line
        for line, row in zip(lines[1:], rows, strict=True)
    ]


def _said(root: Json) -> str:
    return f"{root['service']} {root['operation']}"


def _plain(text: str) -> str:
    """Names come from telemetry, and a terminal obeys what it is sent."""
    from web.export.text import written

    return written(text)
