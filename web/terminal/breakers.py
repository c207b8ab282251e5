"""``meshscope breakers``: circuit breakers as a table."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

import typer

from web.terminal.api import Api, Data, Token, Url
from web.terminal.looks import look, width

_PATH: Final = "/api/v1/breakers"
_COLOURS: Final = {"open": "red", "half_open": "yellow"}
Json = dict[str, Any]


def breakers(
    state: Annotated[
        Literal["", "open", "half_open", "closed", "unknown"], typer.Option(help="Only those in this state.")
    ] = "",
    source: Annotated[str, typer.Option(help="Only of this caller.")] = "",
    target: Annotated[str, typer.Option(help="Only of this target.")] = "",
    start: Annotated[
        str,
        typer.Option(help="Calls without room are counted from here; RFC 3339, unix seconds or relative."),
    ] = "now-1m",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: the document of the API.")] = False,
    watch: Annotated[bool, typer.Option(help="Again and again, until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 2.0,
    data: Data = None,
    url: Url = "",
    token: Token = "",
) -> None:
    """Circuit breakers per caller instance and target: open, why, since when; ejected hosts."""
    # Over 40 lines: an option with its help in each line.
    asked: dict[str, str | list[str]] = {"start": start, "limit": str(limit)}
    asked |= {k: text for k, text in (("state", state), ("source", source), ("target", target)) if text}

    def show(api: Api) -> str:
        document = api.get(_PATH, asked)
        return json.dumps(document) if as_json else shown(document, width())

    look(data, url, token, show, every=interval if watch else None, clear=watch and not as_json)


def shown(document: Json, columns: int | None) -> str:
    """The table of a page of breakers, and a line that says how many there are."""
    from web.terminal.table import table

    items = document["items"]
    if not items:
        return "no breakers"
    lines = table(_HEADS, [_row(each) for each in items], columns)
    for number, each in enumerate(items, 1):
        if colour := _COLOURS.get(each["state"]):
            lines[number] = typer.style(lines[number], fg=colour)
    more = ", and more (--limit)" if document["next_cursor"] else ""
    return "\n".join((*lines, f"{len(items)} breaker{'s' if len(items) > 1 else ''}{more}"))


_HEADS: Final = ("SOURCE", "TARGET", "INSTANCE", "VERSION", "STATE", "SINCE", "TRIPPED>", "EJECTED>", "WHY")


def _row(each: Json) -> list[str]:
    from web.ui.formats import count

    why = [reason.replace("_", " ") for reason in each["reasons"]]
    if forced := each["forced"]:
        why.append(f"forced {forced['state']} by {forced['policy']}")
    out = "–" if each["hosts"] is None else f"{each['ejected']} of {each['hosts']}"
    return [
        *(each["source"], each["target"], each["instance"], each["version"] or "all"),
        *(each["state"].replace("_", "-"), _second(each["since"])),
        *(count(each["tripped"]["calls"]), out, ", ".join(why)),
    ]


def _second(time: str | None) -> str:
    return f"{time[:19]}Z" if time else "–"
