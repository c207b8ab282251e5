"""The editor of an edge's rule: fault, timeout and split, on or off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import html

from store.policies import StoredPolicy
from web.ui.dom import attributes
from web.ui.icons import icon
from web.ui.panel.draft import Form
from web.ui.panel.names import short
from web.ui.panel.parts import section, tag

# Ids of the fields, by the name that callbacks give them; the property that holds the value.
FIELDS: dict[str, tuple[str, str]] = {
    "scope": ("rule-from", "value"),
    "abort_percent": ("rule-abort-percent", "value"),
    "abort_status": ("rule-abort-status", "value"),
    "delay_ms": ("rule-delay-ms", "value"),
    "delay_percent": ("rule-delay-percent", "value"),
    "timeout_ms": ("rule-timeout", "value"),
    "split": ("rule-split-on", "checked"),
    "weight": ("rule-split", "value"),
    "lease": ("rule-lease", "value"),
    "enabled": ("rule-enabled", "checked"),
}

FAULT_FIELDS = ("abort_percent", "delay_percent", "delay_ms")
"""Empty, they make no fault."""


def read_form(fields: dict[str, Any]) -> Form:
    """The form from the values of FIELDS; an empty number field holds "" in the browser."""
    return Form(
        everyone=fields["scope"] == "all",
        abort_percent=_number(fields["abort_percent"]),
        abort_status=int(status) if (status := _number(fields["abort_status"])) else None,
        delay_ms=_number(fields["delay_ms"]),
        delay_percent=_number(fields["delay_percent"]),
        timeout_ms=_number(fields["timeout_ms"]),
        split=bool(fields["split"]),
        weight=_number(fields["weight"]) or 0.0,
        lease=(fields["lease"] or "").strip(),
        enabled=bool(fields["enabled"]),
    )


def _number(value: Any) -> float | None:
    try:
        return None if value in (None, "") else float(value)
    except ValueError:
        return None


def editor(source: str, form: Form, versions: Sequence[str], rule: StoredPolicy | None) -> html.Section:
    """The fields, filled from `form`. All of them exist always, so that callbacks find them."""
    return section(
        "Change a rule",
        html.Div(rule_state(rule), id="rule-state"),
        _scope(source, form),
        _faults(form),
        _limits(form, versions),
        _buttons(rule),
        html.Div(id="rule-preview"),
        html.Div(id="rule-outcome"),
        id="rule-editor",
        **attributes(data_rule=rule.name if rule else ""),
    )


def rule_state(rule: StoredPolicy | None) -> html.Div:
    """Which rule is edited, and whether it is in force."""
    if rule is None:
        return html.Div("No rule for this edge yet.", className="faint")
    state = tag("on", "ok", "circle-check") if rule.enabled else tag("off", "idle")
    return html.Div(
        [html.B(rule.name), state, html.Span(f"revision {rule.revision}", className="faint")],
        className="rule-head",
    )


def _scope(source: str, form: Form) -> html.Div:
    choices = [{"value": "one", "label": f"Only {short(source)}"}, {"value": "all", "label": "All callers"}]
    return html.Div(
        [
            dmc.SegmentedControl(
                id="rule-from",
                data=choices,
                value="all" if form.everyone else "one",
                size="xs",
                fullWidth=True,
            ),
            dmc.Switch(
                id="rule-enabled",
                label="On once applied",
                checked=form.enabled,
                size="xs",
                className="rule-switch",
            ),
        ],
        className="field",
    )


def _number_field(field: str, label: str, value: float | None, **more: Any) -> dmc.NumberInput:
    return dmc.NumberInput(
        id=FIELDS[field][0],
        label=label,
        value="" if value is None else value,
        min=more.pop("min", 0),
        size="xs",
        clampBehavior="blur",
        **more,
    )


def _faults(form: Form) -> html.Div:
    abort = [
        _number_field("abort_percent", "Abort", form.abort_percent, max=100, suffix=" %", placeholder="off"),
        _number_field("abort_status", "with status", form.abort_status, min=200, max=599, hideControls=True),
    ]
    delay = [
        _number_field("delay_percent", "Delay", form.delay_percent, max=100, suffix=" %", placeholder="off"),
        _number_field("delay_ms", "by", form.delay_ms, suffix=" ms", step=100, placeholder="0 ms"),
    ]
    lease = dmc.TextInput(
        id="rule-lease",
        label="Faults end by themselves after",
        value=form.lease,
        placeholder="such as 90s, 15m or 2h",
        size="xs",
    )
    return html.Div(
        [html.Div(abort, className="two"), html.Div(delay, className="two"), lease], className="field"
    )


def _limits(form: Form, versions: Sequence[str]) -> html.Div:
    timeout = _number_field(
        "timeout_ms", "Timeout", form.timeout_ms, suffix=" ms", step=100, placeholder="none"
    )
    two = len(versions) == 2
    first, second = versions if two else ("", "")
    split = html.Div(
        [
            dmc.Switch(
                id="rule-split-on",
                label=f"Split between {first} and {second}",
                checked=form.split and two,
                size="xs",
            ),
            dmc.Slider(id="rule-split", value=form.weight, min=0, max=100, step=1, size="sm", mt=10, mb=4),
            html.Div(split_words(versions, form), id="rule-split-words", className="hint"),
        ],
        id="rule-split-field",
        hidden=not two,
    )
    return html.Div([timeout, split], className="field")


def split_words(versions: Sequence[str], form: Form) -> str:
    """What the slider says."""
    if len(versions) != 2:
        return ""
    if not form.split:
        return "Off: every instance gets its share."
    return f"{versions[0]} {form.weight:.0f} % · {versions[1]} {100 - form.weight:.0f} %"


def _buttons(rule: StoredPolicy | None) -> html.Div:
    off = html.Button(
        "Switch off", id="rule-off", className="btn", hidden=not (rule and rule.enabled), n_clicks=0
    )
    return html.Div(
        [
            html.Button([icon("search"), "Plan"], id="rule-plan", className="btn", n_clicks=0),
            html.Button(
                [icon("check"), "Apply"], id="rule-apply", className="btn pri", disabled=True, n_clicks=0
            ),
            off,
            html.Span("Plan first, then apply.", id="rule-hint", className="faint hint"),
        ],
        className="buttons",
    )
