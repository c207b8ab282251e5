"""Which part of the page calls which callback of the panel."""

from __future__ import annotations

import dash
from dash import Input, Output, State

from web.ui.panel.callbacks import PanelCallbacks
from web.ui.panel.editor import FAULT_FIELDS, FIELDS
from web.ui.ports import Parts
from web.ui.wire import on

SELECTED = State("selection", "data")
CHANGES = State("rules-changed", "data")


def register(app: dash.Dash, parts: Parts) -> None:
    panel = PanelCallbacks(parts)
    _show(app, panel)
    _draft(app, panel)
    _change(app, panel)


def _show(app: dash.Dash, panel: PanelCallbacks) -> None:
    on(
        app,
        panel.select,
        output=[Output("panel-detail", "children"), Output("rule-planned", "data", allow_duplicate=True)],
        inputs=Input("selection", "data"),
    )
    on(
        app,
        panel.refresh,
        output=[
            Output("panel-policy", "children"),
            Output("rule-off", "hidden"),
            Output("rule-state", "children"),
        ],
        inputs=Input("rules-changed", "data"),
        state=SELECTED,
    )


def _draft(app: dash.Dash, panel: PanelCallbacks) -> None:
    on(
        app,
        panel.edit,
        output=[
            Output("rule-apply", "disabled", allow_duplicate=True),
            Output("rule-hint", "children"),
            Output("rule-split-words", "children"),
        ],
        inputs={"fields": {name: Input(*field) for name, field in FIELDS.items()}},
        state={"selected": SELECTED, "planned": State("rule-planned", "data")},
    )
    on(
        app,
        panel.plan,
        output=[
            Output("rule-preview", "children"),
            Output("rule-planned", "data"),
            Output("rule-apply", "disabled"),
            Output("rule-outcome", "children"),
            Output("rule-hint", "children", allow_duplicate=True),
        ],
        inputs={"clicks": Input("rule-plan", "n_clicks")},
        state={
            "selected": SELECTED,
            "fields": {name: State(*field) for name, field in FIELDS.items()},
        },
    )


def _change(app: dash.Dash, panel: PanelCallbacks) -> None:
    outcome = [
        Output("rule-preview", "children", allow_duplicate=True),
        Output("rule-outcome", "children", allow_duplicate=True),
        Output("rule-planned", "data", allow_duplicate=True),
        Output("rules-changed", "data", allow_duplicate=True),
        Output("rule-hint", "children", allow_duplicate=True),
    ]
    on(
        app,
        panel.apply,
        output=outcome,
        inputs={"clicks": Input("rule-apply", "n_clicks")},
        state={"planned": State("rule-planned", "data"), "changes": CHANGES},
        running=[
            (Output("rule-apply", "disabled"), True, True),
            (Output("rule-plan", "disabled"), True, False),
        ],
    )
    on(
        app,
        panel.switch_off,
        output=(outcome, [Output(*FIELDS[name]) for name in FAULT_FIELDS]),
        inputs={"clicks": Input("rule-off", "n_clicks")},
        state={"selected": SELECTED, "changes": CHANGES},
        running=[(Output("rule-off", "disabled"), True, False)],
    )
