"""The figures that guards compare, from where the graph has its own."""

from __future__ import annotations

from collector.analytics import Asked, Span
from proxy_plugin.policy import Guard, TrafficPolicy
from web.live import Graphs
from web.policies.verdict import Reading, Side


class Readings:
    """Reads the calls that a policy touches: all of its callers to its target, whatever their route."""

    def __init__(self, graphs: Graphs) -> None:
        self._graphs = graphs

    def read(
        self, policy: TrafficPolicy, guard: Guard, side: Side, start: int, end: int, now: float
    ) -> Reading:
        """Calls and figure of ``[start, end)``, unix s. Blocks."""
        filters: list[tuple[str, tuple[str, ...]]] = [("target", (policy.target.service,))]
        if policy.target.callers:
            filters.append(("source", policy.target.callers))
        asked = Asked(("calls", guard.metric), side=side, filters=tuple(filters))
        found = self._graphs.figures(asked, Span(start, end, now))
        if found.is_empty():
            return Reading(0.0, None)
        calls, value = found.row(0)
        return Reading(calls or 0.0, value)
