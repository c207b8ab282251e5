"""What became of a push, proxy by proxy. While it runs, assets/js/62-progress.js patches these rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dash import html

from proxy_plugin.envoy.status import ProxyOutcome
from web.ui.dom import attributes
from web.ui.panel.names import instance, short

PLANNED, PENDING, ACKNOWLEDGED, REJECTED = "planned", "pending", "acknowledged", "rejected"
WORDS = {
    PLANNED: "will be told",
    PENDING: "pending",
    ACKNOWLEDGED: "acknowledged",
    REJECTED: "rejected",
}


@dataclass(frozen=True)
class Row:
    """One proxy; `message` holds Envoy's own words."""

    node_id: str
    service: str
    version: str
    state: str
    message: str = ""


def outcome_rows(proxies: Mapping[str, Sequence[ProxyOutcome]]) -> list[Row]:
    """One row a proxy from outcomes by type: rejected outweighs pending, pending outweighs acknowledged."""
    rows: dict[str, Row] = {}
    for key, state in (("acked", ACKNOWLEDGED), ("pending", PENDING), ("nacked", REJECTED)):
        for outcome in proxies.get(key, ()):
            before = rows.get(outcome.node_id)
            words = [
                text
                for text in (before.message if before and before.state == state else "", outcome.message)
                if text
            ]
            rows[outcome.node_id] = Row(
                outcome.node_id, outcome.service, outcome.version, state, "\n".join(dict.fromkeys(words))
            )
    return sorted(rows.values(), key=lambda row: (row.service, row.version, row.node_id))


def progress(rows: Iterable[Row]) -> html.Div:
    """The rows, with the hooks `data-proxy` and `data-state`."""
    return html.Div([_line(row) for row in rows], id="rule-progress", **attributes(role="list"))


def _line(row: Row) -> html.Div:
    return html.Div(
        [
            html.Span(className="light"),
            html.Div(
                [
                    html.Span(short(row.service), className="who"),
                    html.Span(f" {row.version}" if row.version else "", className="faint"),
                    html.Div(instance(row.node_id), className="mono faint"),
                    html.Div(row.message, className="said mono"),
                ],
                className="grow",
            ),
            html.Span(WORDS[row.state], className="what"),
        ],
        className="proxy-row",
        title=row.node_id,
        **attributes(role="listitem", data_proxy=row.node_id, data_state=row.state),
    )
