"""Traffic rules: all of them, with a switch each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import dash
import dash_mantine_components as dmc
from dash import ALL, Input, Output, State, ctx, dcc, html, no_update

from store.policies import Revision, StoredPolicy
from web.problems import Problem
from web.ui.dom import attributes
from web.ui.formats import left
from web.ui.icons import icon
from web.ui.pages.page import Page, add_page
from web.ui.panel.names import short
from web.ui.panel.outcome import applied, refused
from web.ui.panel.parts import note, tag
from web.ui.panel.policy import describe
from web.ui.ports import Parts
from web.ui.request import writer
from web.ui.shell import shell
from web.ui.wire import on

REFRESH = 5000
"""Milliseconds: leases end by themselves."""
COLUMNS = ("On", "Rule", "Calls to", "From", "What it does", "State", "Last change", "")
OUTCOMES = {
    "applied": "ok",
    "lease_ended": "idle",
    "guard_reverted": "bad",
    "pending": "warn",
    "refused": "bad",
    "failed": "bad",
}


def register(app: dash.Dash, parts: Parts) -> None:
    page = RulesPage(parts)
    add_page(PAGE, layout)
    on(
        app,
        page.refresh,
        output=Output("rules-table", "children"),
        inputs=[Input("rules-timer", "n_intervals"), Input("rules-changed", "data")],
        prevent_initial_call=False,
    )
    on(
        app,
        page.toggle,
        output=[Output("rules-message", "children"), Output("rules-changed", "data", allow_duplicate=True)],
        inputs=Input({"type": "rule-switch", "name": ALL}, "checked"),
        state=State("rules-changed", "data"),
    )
    _deletion(app, page)


def _deletion(app: dash.Dash, page: RulesPage) -> None:
    """A press on a row asks; only the answer deletes."""
    on(
        app,
        page.ask,
        output=[
            Output("rules-confirm", "opened"),
            Output("rules-doomed", "children"),
            Output("rules-doomed-as", "data"),
        ],
        inputs=Input({"type": "rule-delete", "name": ALL}, "n_clicks"),
    )
    on(
        app,
        page.delete,
        output=[
            Output("rules-message", "children", allow_duplicate=True),
            Output("rules-changed", "data", allow_duplicate=True),
            Output("rules-confirm", "opened", allow_duplicate=True),
        ],
        inputs=[Input("rules-delete", "n_clicks"), Input("rules-keep", "n_clicks")],
        state=[State("rules-doomed-as", "data"), State("rules-changed", "data")],
    )


def layout(**_query: Any) -> html.Div:
    body = [
        html.Div(id="rules-message"),
        html.Div(id="rules-table"),
        dcc.Interval(id="rules-timer", interval=REFRESH),
        dcc.Store(id="rules-doomed-as"),
        _confirm(),
    ]
    return shell(PAGE, body, live=False)


def _confirm() -> dmc.Modal:
    buttons = [
        html.Button("Keep it", id="rules-keep", className="btn", n_clicks=0),
        html.Button([icon("trash"), "Delete"], id="rules-delete", className="btn danger", n_clicks=0),
    ]
    return dmc.Modal(
        [html.Div(id="rules-doomed"), html.Div(buttons, className="buttons right")],
        id="rules-confirm",
        title="Delete this rule?",
        centered=True,
        size="sm",
    )


class RulesPage:
    """The callbacks."""

    def __init__(self, parts: Parts) -> None:
        self._publisher = parts.publisher

    async def refresh(self, _ticks: int | None, _changes: int | None) -> Any:
        policies = await self._publisher.policies()
        newest = [(policy, (await self._publisher.revisions(policy.name, 1))[0]) for policy in policies]
        return rules_table(newest, datetime.now(UTC)) if newest else EMPTY

    async def toggle(self, _switches: list[bool], changes: int) -> tuple[Any, Any]:
        """Switches one rule; nothing happened when the table was only drawn anew."""
        name, enabled = ctx.triggered_id["name"], bool(ctx.triggered[0]["value"])
        standing = {policy.name: policy.enabled for policy in await self._publisher.policies()}
        if standing.get(name) == enabled:
            return no_update, no_update
        try:
            result = await self._publisher.toggle(name, enabled, actor=writer())
        except Problem as problem:
            return refused(problem), changes + 1
        return applied(result, on=enabled), changes + 1

    async def ask(self, _clicks: list[int | None]) -> tuple[Any, Any, Any]:
        """Opens the question; nothing was pressed when the table was only drawn anew."""
        if not ctx.triggered[0]["value"]:
            return no_update, no_update, no_update
        name = ctx.triggered_id["name"]
        policy = next((each for each in await self._publisher.policies() if each.name == name), None)
        if policy is None:
            return no_update, no_update, no_update
        return True, doom(policy), {"name": name, "revision": policy.revision}

    async def delete(
        self, clicks: int, _kept: int, doomed: Mapping[str, Any] | None, changes: int
    ) -> tuple[Any, Any, Any]:
        """Deletes what was asked about, unless somebody changed it meanwhile."""
        if ctx.triggered_id != "rules-delete" or not clicks or not doomed:
            return no_update, no_update, False
        try:
            await self._publisher.delete(doomed["name"], actor=writer(), if_match=doomed["revision"])
        except Problem as problem:
            return refused(problem), changes + 1, False
        return note(f"Rule {doomed['name']} is deleted.", "done", "circle-check"), changes + 1, False


def doom(policy: StoredPolicy) -> list[Any]:
    """What is lost."""
    words = "It is on: the proxies go back to how they were before it." if policy.enabled else "It is off."
    return [html.P(html.B(policy.name)), html.P(f"{words} Its history is kept.", className="muted")]


def rules_table(rules: Sequence[tuple[StoredPolicy, Revision]], now: datetime) -> html.Div:
    """`rules`: each policy with its newest revision."""
    head = html.Thead(html.Tr([html.Th(words, scope="col") for words in COLUMNS]))
    rows = [_row(policy, newest, now) for policy, newest in rules]
    return html.Div(html.Table([head, html.Tbody(rows)], className="tbl"), className="card table-card")


def _row(policy: StoredPolicy, newest: Revision, now: datetime) -> html.Tr:
    target = policy.document["target"]
    callers = target.get("from") or []
    what = [
        html.Div([html.Span(f"{name} ", className="muted"), value])
        for name, value in describe(policy.document)
    ]
    switch = dmc.Switch(
        id={"type": "rule-switch", "name": policy.name},
        checked=policy.enabled,
        size="sm",
        **attributes(aria_label=f"Rule {policy.name}"),
    )
    return html.Tr(
        [
            html.Td(switch),
            html.Th(
                [html.B(policy.name), html.Div(f"revision {policy.revision}", className="faint")], scope="row"
            ),
            html.Td(short(target["service"]), title=target["service"]),
            html.Td(
                ", ".join(short(caller) for caller in callers) or "all callers", title=", ".join(callers)
            ),
            html.Td(what or html.Span("nothing", className="faint")),
            html.Td(_state(policy, now)),
            html.Td(_last(newest)),
            html.Td(html.Div([_link(target["service"], callers), _delete(policy.name)], className="row")),
        ],
        **attributes(data_rule=policy.name, data_enabled=str(policy.enabled).lower()),
    )


def _delete(name: str) -> html.Button:
    return html.Button(
        icon("trash"),
        id={"type": "rule-delete", "name": name},
        className="btn icon ghost",
        title="Delete",
        n_clicks=0,
        **attributes(aria_label=f"Delete rule {name}"),
    )


def _state(policy: StoredPolicy, now: datetime) -> Any:
    if not policy.enabled:
        return tag("off", "idle")
    if policy.expires_at is None:
        return tag("on", "ok", "circle-check")
    return [
        tag("on", "ok", "circle-check"),
        " ",
        tag(f"ends in {left(policy.expires_at - now)}", "half", "clock"),
    ]


def _last(revision: Revision) -> list[Any]:
    at = revision.at.astimezone(UTC)
    return [
        tag(revision.outcome.replace("_", " "), OUTCOMES.get(revision.outcome, "idle")),
        html.Div(f"{at:%Y-%m-%d %H:%M:%S} UTC by {revision.actor}", className="faint"),
    ]


def _link(target: str, callers: Sequence[str]) -> dcc.Link:
    chosen = {"edge": f"{callers[0]}>{target}>call"} if len(callers) == 1 else {"node": target}
    return dcc.Link(
        [icon("workflow"), "Open in graph"], href=f"/ui/graph?{urlencode(chosen)}", className="btn"
    )


EMPTY = html.Div(
    [
        icon("route"),
        html.H2("No rules yet"),
        html.P("Select an edge in the graph: its panel has the editor for faults, timeouts and splits."),
        dcc.Link("Open the graph", href="/ui/graph", className="btn pri"),
    ],
    className="empty",
)

PAGE = Page(
    key="rules", title="Traffic rules", path="/rules", icon="route", section="Control", register=register
)
