"""How bad is it: health with a minimum volume and an interval, and what the two sides of an edge disagree about."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

Json = dict[str, Any]

_Z: Final = 1.96  # of a 95 % interval

Share = Annotated[float, Field(gt=0, le=1)]


class Thresholds(BaseModel):
    """From where on a node or an edge is degraded, failing, or contradicted by its other side."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_calls: Annotated[float, Field(gt=0)] = Field(
        default=5.0, description="Calls below which nothing is judged", examples=[5.0]
    )
    degraded: Share = Field(default=0.01, description="Failed share of degraded", examples=[0.01])
    failing: Share = Field(default=0.05, description="Failed share of failing", examples=[0.05])
    discrepancy: Share = Field(
        default=0.05, description="Share by which the two sides of an edge may differ", examples=[0.05]
    )


class Override(BaseModel):
    """What is different for one service; the rest is as for all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_calls: Annotated[float, Field(gt=0)] | None = None
    degraded: Share | None = None
    failing: Share | None = None
    discrepancy: Share | None = None


@dataclass(frozen=True)
class HealthRules:
    """The thresholds of each service: its own, else those of its namespace (``shop/*``), else those of all."""

    default: Thresholds = field(default_factory=Thresholds)
    overrides: Mapping[str, Override] = field(default_factory=dict)

    def of(self, service: str) -> Thresholds:
        """Those of a service, or of a whole namespace ``shop/*``."""
        if not self.overrides:
            return self.default
        namespace = f"{service.rpartition('/')[0]}/*"
        found = self.default
        for name in dict.fromkeys((namespace, service)):
            if own := self.overrides.get(name):
                found = found.model_copy(update=own.model_dump(exclude_none=True))
        return found


DEFAULT: Final = HealthRules()


def health(failed: float, calls: float, at: Thresholds = DEFAULT.default) -> str:
    """healthy, degraded, failing; ``idle`` without calls.

    The *lower* end of the 95 % interval must pass the mark: no red on one failure of two calls.
    """
    if calls <= 0:
        return "idle"
    if calls < at.min_calls or failed <= 0:
        return "healthy"
    low, _ = interval(failed, calls)
    return "failing" if low >= at.failing else "degraded" if low >= at.degraded else "healthy"


def interval(failed: float, calls: float) -> tuple[float, float]:
    """The 95 % Wilson score interval of a share."""
    share = min(1.0, max(0.0, failed / calls))
    centre = share + _Z**2 / (2 * calls)
    spread = _Z * math.sqrt(share * (1 - share) / calls + _Z**2 / (4 * calls**2))
    whole = 1 + _Z**2 / calls
    return max(0.0, (centre - spread) / whole), min(1.0, (centre + spread) / whole)


_WHY: Final = {
    "calls_lost": "the target reports fewer calls than its callers made: they never arrived, were answered on the way, "
    "or its spans were lost",
    "calls_unreported": "the target reports more calls than its callers did, retries included: some callers report "
    "nothing, or their spans were lost",
    "failures_unseen": "callers saw failures that the target did not: time-outs, resets, or answers of a proxy between",
}


def discrepancy(row: Mapping[str, Any], at: Thresholds) -> Json | None:
    """What client and server side of an edge say differently; null where they agree or one of them was not seen.

    Deliveries of messages are no discrepancy, a message may have many. Retries are none either: the server may have
    as many calls more as there were attempts more than requests. Client errors are failures for the caller only.
    """
    client, server = row["client_calls"], row["server_calls"]
    if row["kind"] != "call" or client <= 0 or server <= 0 or max(client, server) < at.min_calls:
        return None
    lost, more = client - server, server - client - max(0.0, row["attempts"] - row["requests"])
    unseen = row["client_failed"] - row["failures_client_error"] - row["server_failed"]
    findings = []
    if lost > at.discrepancy * client:
        findings.append(_finding("calls_lost", client, server, lost, client))
    if more > at.discrepancy * server:
        findings.append(_finding("calls_unreported", client, server, more, server))
    if unseen > at.discrepancy * client:
        findings.append(
            _finding("failures_unseen", row["client_failed"], row["server_failed"], unseen, client)
        )
    if not findings:
        return None
    return {"threshold": at.discrepancy, "min_calls": at.min_calls, "findings": findings}


def _finding(what: str, client: float, server: float, difference: float, whole: float) -> Json:
    figures = {"client": client, "server": server, "difference": difference, "share": difference / whole}
    return {"what": what, **{name: float(f"{n:.6g}") for name, n in figures.items()}, "why": _WHY[what]}
