"""``meshscope calls``: figures of calls as a table."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

import typer

from web.terminal.api import Api, Data, Token, Url
from web.terminal.looks import look, width

_PATH: Final = "/api/v1/calls"
_METRICS: Final = "calls,rate,error_rate,p50,p95,p99"
Asked = dict[str, str | list[str]]


def calls(
    metrics: Annotated[str, typer.Option(help="Commas between; `--explain` says what they are.")] = _METRICS,
    group_by: Annotated[str, typer.Option(help="Commas between.")] = "source,target",
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", help=r"key:value,…; may be given several times; \, is a comma of a value."),
    ] = None,
    side: Annotated[Literal["auto", "client", "server"], typer.Option(help="Who measured.")] = "auto",
    start: Annotated[str, typer.Option(help="RFC 3339, unix seconds or relative.")] = "now-15m",
    end: Annotated[str, typer.Option(help="The same.")] = "now",
    step: Annotated[str, typer.Option(help="A row for each 10s, 1m, 1h.")] = "",
    order: Annotated[str, typer.Option(help="Columns or metrics; - before one: largest first.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Rows at most.")] = 50,
    explain: Annotated[bool, typer.Option(help="What the figures rest on, as JSON.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: the document of the API.")] = False,
    watch: Annotated[bool, typer.Option(help="Again and again, until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 2.0,
    data: Data = None,
    url: Url = "",
    token: Token = "",
) -> None:
    """How often, how fast, with how many failures: of any calls, grouped as you like."""
    # Over 40 lines: an option with its help in each line.
    asked: Asked = {"metrics": metrics, "group_by": group_by, "side": side, "start": start, "end": end}
    asked |= {"filter": filters or [], "step": step, "order": order, "limit": str(limit)}
    path = f"{_PATH}/explain" if explain else _PATH

    def show(api: Api) -> str:
        document = api.get(path, asked)
        return json.dumps(document) if as_json or explain else shown(document, metrics, width())

    look(data, url, token, show, every=interval if watch else None, clear=watch and not as_json)


def shown(document: dict[str, Any], metrics: str, most: int | None) -> str:
    """The table of a document, and a line that says whether there is more."""
    from web.terminal.table import table

    rows = document["rows"]
    if not rows:
        return "no calls"
    figures = {*metrics.split(",")}
    heads = [name.upper() + (">" if name in figures else "") for name in rows[0]]
    cells = [[_cell(name, row[name], name in figures) for name in row] for row in rows]
    more = ", and more (--limit)" if document["next_cursor"] else ""
    return "\n".join((*table(heads, cells, most), f"{len(rows)} rows{more}"))


def _cell(name: str, value: Any, figure: bool) -> str:
    from web.ui.formats import NONE, count, duration, number, rate, share

    if not figure:
        return NONE if value is None else str(value)
    words = {"rate": rate, "error_rate": share, "bytes_in": number, "bytes_out": number}
    counts = ("calls", "failed", "requests", "attempts", "retries")
    return words.get(name, count if name in counts else duration)(value)
