"""What happens in the panel when a person selects, edits, plans, applies or switches off."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dash import html, no_update

from proxy_plugin.envoy.rules import effective
from web.problems import Problem
from web.ui.panel.draft import draft, form_of, rule_for
from web.ui.panel.edge import edge_figures
from web.ui.panel.editor import FAULT_FIELDS, editor, read_form, rule_state, split_words
from web.ui.panel.node import node_panel
from web.ui.panel.outcome import applied, refused
from web.ui.panel.parts import section
from web.ui.panel.policy import effective_policy, in_force
from web.ui.panel.preview import preview
from web.ui.ports import Parts
from web.ui.request import writer

Selection = Mapping[str, Any]
Outcome = tuple[Any, Any, Any, Any, Any]
"""Preview, outcome, plan, number of changes, hint."""
HINT = "Plan first, then apply."
PLANNED = "Apply pushes exactly this plan."
CHANGED = "Changed since the plan: plan again."
UNGOVERNED = "No proxy of ours makes these calls, so there is nothing to steer."


class PanelCallbacks:
    """The callbacks; each takes values of the page and returns values of the page."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def select(self, selected: Selection | None) -> tuple[Any, None]:
        """The panel of an edge or node, or nothing."""
        if not selected:
            return None, None
        proxies = self._parts.control.proxies()
        if selected["type"] == "node":
            return node_panel(selected, proxies), None
        source, target = selected["source"], selected["target"]
        versions = self._versions(target)
        policies = await self._parts.publisher.policies()
        rule = rule_for(policies, source, target)
        mesh = self._parts.control.mesh()
        rules = effective(mesh, source, target)
        form = form_of(
            rule.document if rule else None, versions, rules["split"], on=bool(rule and rule.enabled)
        )
        governed = source in mesh.callers(target)
        content: list[Any] = [edge_figures({**selected, "governed": governed}, versions)]
        if governed:
            shown = effective_policy(rules, in_force(policies, source, target))
            content += [html.Div(shown, id="panel-policy"), editor(source, form, versions, rule)]
        else:
            content.append(section("Rules", html.Div(UNGOVERNED, className="faint")))
        return content, None

    async def refresh(self, _changes: int, selected: Selection | None) -> tuple[Any, Any, Any]:
        """After a change: the policy in force, whether there is a rule to switch off, and its state."""
        if not selected or selected["type"] != "edge":
            return no_update, no_update, no_update
        policies = await self._parts.publisher.policies()
        source, target = selected["source"], selected["target"]
        rule = rule_for(policies, source, target)
        rules = effective(self._parts.control.mesh(), source, target)
        shown = effective_policy(rules, in_force(policies, source, target))
        return shown, not (rule and rule.enabled), rule_state(rule)

    async def edit(
        self, fields: dict[str, Any], selected: Selection | None, planned: Mapping[str, Any] | None
    ) -> tuple[bool, str, str]:
        """Apply is possible only while the fields are those of the plan."""
        if not selected or selected["type"] != "edge":
            return True, HINT, ""
        versions = self._versions(selected["target"])
        words = split_words(versions, read_form(fields))
        if not planned:
            return True, HINT, words
        same = planned["draft"] == (await self._draft(selected, fields))[0]
        return not same, PLANNED if same else CHANGED, words

    async def plan(
        self, clicks: int, selected: Selection | None, fields: dict[str, Any]
    ) -> tuple[Any, Any, bool, None, Any]:
        """What the draft would change."""
        if not clicks or not selected:
            return no_update, no_update, True, None, no_update
        document, revision = await self._draft(selected, fields)
        try:
            plan = await self._parts.publisher.plan(document)
        except Problem as problem:
            return refused(problem), None, True, None, HINT
        planned = {"draft": document, "revision": revision}
        shown = preview(plan, self._parts.control.proxies())
        return shown, planned if plan.valid else None, not plan.valid, None, PLANNED if plan.valid else HINT

    async def apply(self, clicks: int, planned: Mapping[str, Any] | None, changes: int) -> Outcome:
        """Pushes exactly what was planned."""
        if not clicks or not planned:
            return (no_update,) * 5
        try:
            result = await self._parts.publisher.apply(
                planned["draft"], actor=writer(), if_match=planned["revision"]
            )
        except Problem as problem:
            return None, refused(problem), None, changes + 1, HINT
        return None, applied(result, on=planned["draft"]["enabled"]), None, changes + 1, HINT

    async def switch_off(
        self, clicks: int, selected: Selection | None, changes: int
    ) -> tuple[Outcome, tuple[Any, ...]]:
        """Disables the edge's rule at once, without a plan: the way back must be short.

        The second part empties FAULT_FIELDS: the next rule that is applied must not bring the fault back.
        """
        kept = (no_update,) * len(FAULT_FIELDS)
        if not clicks or not selected:
            return (no_update,) * 5, kept
        policies = await self._parts.publisher.policies()
        rule = rule_for(policies, selected["source"], selected["target"])
        if rule is None:
            return (None, None, None, changes + 1, HINT), kept
        try:
            result = await self._parts.publisher.toggle(rule.name, False, actor=writer())
        except Problem as problem:
            return (None, refused(problem), None, changes + 1, HINT), kept
        return (None, applied(result, on=False), None, changes + 1, HINT), ("",) * len(FAULT_FIELDS)

    async def _draft(self, selected: Selection, fields: dict[str, Any]) -> tuple[dict[str, Any], int]:
        """The document of the fields, and the revision that it replaces, 0 for a new rule."""
        policies = await self._parts.publisher.policies()
        source, target = selected["source"], selected["target"]
        rule = rule_for(policies, source, target)
        document = draft(
            source,
            target,
            self._versions(target),
            read_form(fields),
            rule.document if rule else None,
            {policy.name for policy in policies},
        )
        return document, rule.revision if rule else 0

    def _versions(self, target: str) -> Sequence[str]:
        proxies = self._parts.control.proxies()
        return sorted({proxy.version for proxy in proxies if proxy.service == target and proxy.version})
