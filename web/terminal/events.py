"""``meshscope events``: what happened as a table, and reports of deployments from scripts."""

from __future__ import annotations

import json
from typing import Annotated, Any, Final, Literal

import typer

from web.terminal.api import Api, Data, Token, Url
from web.terminal.looks import look, width

_PATH: Final = "/api/v1/events"
_RULES: Final = {
    "enabled": "switched on",
    "disabled": "switched off",
    "lease_ended": "lease ended",
    "guard_reverted": "taken back by its guard",
}
Json = dict[str, Any]

events = typer.Typer(
    invoke_without_command=True,
    help="What happened: deployments, rules, edges that are new or have vanished.",
)


@events.callback()
def list_events(
    context: typer.Context,
    service: Annotated[str, typer.Option(help="Only of this node; of an edge, either end.")] = "",
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--kind",
            help="Of deployment, note, rule_change, edge_new, edge_vanished; may be repeated.",
        ),
    ] = None,
    start: Annotated[str, typer.Option(help="RFC 3339, unix seconds or relative.")] = "now-24h",
    end: Annotated[str, typer.Option(help="The same; default: no end.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Events at most, the newest.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: the document of the API.")] = False,
    watch: Annotated[bool, typer.Option(help="Again and again, until Ctrl-C.")] = False,
    interval: Annotated[float, typer.Option(min=0.2, help="Seconds between two looks.")] = 2.0,
    data: Data = None,
    url: Url = "",
    token: Token = "",
) -> None:
    """What happened, the newest first: deployments, notes, rules, edges that are new or have vanished."""
    # Over 40 lines: an option with its help in each line.
    if context.invoked_subcommand is not None:
        return
    asked: dict[str, str | list[str]] = {"start": start, "limit": str(limit), "kind": [*(kinds or ())]}
    asked |= {name: text for name, text in (("service", service), ("end", end)) if text}

    def show(api: Api) -> str:
        document = api.get(_PATH, asked)
        return json.dumps(document) if as_json else listed(document, width())

    look(data, url, token, show, every=interval if watch else None, clear=watch and not as_json)


@events.command("add")
def add_event(
    kind: Annotated[
        Literal["deployment", "note"], typer.Option(help="A note needs a --text.")
    ] = "deployment",
    service: Annotated[str, typer.Option(help="Node id of what it is about.")] = "",
    version: Annotated[str, typer.Option(help="The version that was deployed.")] = "",
    who: Annotated[str, typer.Option(help="Default: the name of the token.")] = "",
    link: Annotated[str, typer.Option(help="Where to read more: http or https.")] = "",
    text: Annotated[str, typer.Option(help="More, in words.")] = "",
    at: Annotated[str, typer.Option(help="When: RFC 3339, unix seconds or relative.")] = "now",
    key: Annotated[str, typer.Option(help="Sent again with the same key, it is the event of before.")] = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="For scripts: the event as the API has it.")
    ] = False,
    data: Data = None,
    url: Url = "",
    token: Token = "",
) -> None:
    """Report a deployment, or leave a note: a marker on charts and in comparisons."""
    told = {"service": service, "version": version, "who": who, "link": link, "text": text}
    body = {"kind": kind, "at": at} | {name: value for name, value in told.items() if value}

    def report(api: Api) -> str:
        event = api.post(_PATH, body, {"idempotency-key": key} if key else {})
        return json.dumps(event) if as_json else listed({"items": [event], "next_cursor": None}, width())

    look(data, url, token, report, every=None, clear=False)


def listed(document: Json, columns: int | None) -> str:
    """The table of a page of events, and a line that says whether there is more."""
    from web.terminal.table import table

    items = document["items"]
    if not items:
        return "no events"
    rows = [
        [
            _where(each),
            _what(each),
            each["at"][:19] + "Z",
            each["who"] or "",
            each["link"] or "",
        ]
        for each in items
    ]
    more = ", and more (--limit)" if document["next_cursor"] else ""
    words = f"{len(items)} event{'s' if len(items) > 1 else ''}{more}"
    return "\n".join((*table(("WHERE", "WHAT", "WHEN", "WHO", "LINK"), rows, columns), words))


def _where(event: Json) -> str:
    edge = event["edge"]
    return f"{edge['source']} > {edge['target']}" if edge else event["service"] or ""


def _what(event: Json) -> str:
    text = " ".join((event["text"] or "").split())
    match event["kind"]:
        case "deployment":
            words = f"deployed {event['version'] or ''}".rstrip()
        case "rule_change":
            rule = event["rule"]
            words = f"rule {rule['policy']} {_RULES.get(rule['what'], rule['what'])}"
        case "edge_new":
            words = "new edge"
        case "edge_vanished":
            words = f"vanished, last call {event['last_seen'][:19]}Z"
        case _:
            return text
    return f"{words}: {text}" if text else words
