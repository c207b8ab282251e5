"""How policies, plans and revisions look in the API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from store.policies import Revision, StoredPolicy
from web.policies.plan import Plan
from web.policies.rollout import Applied

_STORED = ("revision", "expires_at", "created_at", "updated_at")
READ_ONLY = (*_STORED, "guard_state", "steps_state")
"""Fields of an answer that a request may send back; they are not looked at."""

EXAMPLE: dict[str, Any] = {
    "name": "payments-canary",
    "target": {"service": "shop/payments", "from": ["shop/checkout"]},
    "split": [{"version": "v1", "weight": 90}, {"version": "v2", "weight": 10}],
    "timeout": "2s",
    "fault": {"abort": {"percent": 1, "status": 503}},
    "lease": "15m",
    "enabled": True,
}
_PROXY_EXAMPLE = {
    "node_id": "sidecar~127.0.0.1~checkout-1.shop~mesh.local",
    "service": "shop/checkout",
    "version": "v1",
    "instance": "checkout-1",
    "type": "RDS",
    "message": "",
}


class ReadingView(BaseModel):
    """Calls of a window, and their figure."""

    calls: float = Field(description="Calls in the window, sampling-weighted", examples=[240.0])
    value: float | None = Field(
        description="A share (0-1) for error_rate, ms for the others; null without calls", examples=[0.012]
    )


class GuardView(BaseModel):
    """How far a guard is. Both windows are as long as its `for`."""

    state: Literal["watching", "held", "broken", "no_traffic"] = Field(
        description="held: it was not worse; broken: taken back; no_traffic: too few calls to tell",
        examples=["watching"],
    )
    revision: int = Field(description="Of the change that it watches", examples=[4])
    side: Literal["client", "server"] | None = Field(
        description="Who measured: the callers, else the target; null: not read yet", examples=["client"]
    )
    before: ReadingView | None = Field(description="Just before the change; null: not read yet")
    now: ReadingView | None = Field(description="The last window after it; null: not over yet")
    until: datetime | None = Field(
        description="End of the watch; null: as long as a step is held", examples=["2030-01-31T12:01:30Z"]
    )


class StepsView(BaseModel):
    """How far a schedule is."""

    state: Literal["running", "paused", "done", "aborted"] = Field(
        description="paused: by a person, or since pushes failed", examples=["running"]
    )
    step: int = Field(description="The step in force, from 1", examples=[2])
    next_at: datetime | None = Field(
        description="When its hold is over; null: there is no next step, or it is paused",
        examples=["2030-01-31T12:05:00Z"],
    )
    failures: int = Field(description="Pushes of the next step that failed, in a row", examples=[0])
    reason: str = Field(description="Why it stands still", examples=[""])


class PolicyView(BaseModel, extra="allow"):
    """A policy as it was written, and where it stands."""

    name: str = Field(description="Its name", examples=["payments-canary"])
    revision: int = Field(description="Number of the revision in force; also the ETag", examples=[3])
    enabled: bool = Field(description="Whether it is in force", examples=[True])
    expires_at: datetime | None = Field(
        description="End of its lease; null without one or when it is disabled",
        examples=["2030-01-31T12:15:00Z"],
    )
    created_at: datetime = Field(description="First saved", examples=["2030-01-31T12:00:00Z"])
    updated_at: datetime = Field(description="Last changed", examples=["2030-01-31T12:00:00Z"])
    guard_state: GuardView | None = Field(
        description="What its guard has found since the last change; null: nothing to watch"
    )
    steps_state: StepsView | None = Field(description="How far its schedule is; null: it has none")
    target: dict[str, Any] = Field(
        description="The calls that it applies to. All fields of the policy follow at this level.",
        examples=[EXAMPLE["target"]],
    )


class Policies(BaseModel):
    """All policies, by name."""

    items: list[PolicyView] = Field(description="The policies", examples=[[]])
    next_cursor: None = Field(description="Always null: all are given at once", examples=[None])


class FindingView(BaseModel):
    """Something to say about a draft."""

    severity: Literal["error", "warning", "info"] = Field(
        description="An error forbids it", examples=["error"]
    )
    field: str = Field(description="Path of the field; empty: the whole", examples=["split[0].version"])
    message: str = Field(description="What is wrong", examples=["shop/payments has no version v9."])
    fix: str = Field(description="What to do", examples=["Use one of: v1, v2."])


class BlastRadiusView(BaseModel):
    """What the policy touches."""

    edges: list[list[str]] = Field(
        description="Pairs of source and target", examples=[[["shop/checkout", "shop/payments"]]]
    )
    callers: list[str] = Field(description="Who calls", examples=[["shop/checkout"]])
    calls_per_second: float = Field(description="Over these edges, in the last 15 minutes", examples=[41.5])
    predicted_cut_share: float | None = Field(
        description="Share (0-1) of calls that take longer than the timeout; null when not known",
        examples=[0.02],
    )
    predicted_extra_load: float | None = Field(
        description="Calls per second that retries would add at today's share of failures, at most; "
        "null without a retry or calls",
        examples=[0.8],
    )


class PlanView(BaseModel):
    """What a draft would change. Nothing has changed."""

    valid: bool = Field(description="Whether it can be applied: no finding is an error", examples=[True])
    findings: list[FindingView] = Field(description="What is wrong or odd", examples=[[]])
    diff: str = Field(
        description="Unified YAML diff against what is stored", examples=["-timeout: 2s\n+timeout: 1s\n"]
    )
    resources: dict[str, str] = Field(
        description="Node id → unified diff of what that proxy is given",
        examples=[{_PROXY_EXAMPLE["node_id"]: "…"}],
    )
    blast_radius: BlastRadiusView = Field(description="Edges, callers and traffic that it touches")


class ProxyOutcomeView(BaseModel):
    """What one proxy said to one type of resources."""

    node_id: str = Field(description="Envoy's node id", examples=[_PROXY_EXAMPLE["node_id"]])
    service: str = Field(description="Service id", examples=["shop/checkout"])
    version: str = Field(description="Version of the service", examples=["v1"])
    instance: str = Field(description="Its instance", examples=["checkout-1"])
    type: str = Field(description="CDS EDS SDS LDS RDS", examples=["RDS"])
    message: str = Field(description="The proxy's own words when it refused", examples=[""])


class ProxyOutcomes(BaseModel):
    """Answers of the proxies that the change concerns; none of them when no proxy is there."""

    acked: list[ProxyOutcomeView] = Field(description="It is in force there", examples=[[_PROXY_EXAMPLE]])
    nacked: list[ProxyOutcomeView] = Field(description="Refused", examples=[[]])
    pending: list[ProxyOutcomeView] = Field(description="No answer yet, or disconnected", examples=[[]])


class AppliedView(BaseModel):
    """What became of a change."""

    name: str = Field(description="Name of the policy", examples=["payments-canary"])
    revision: int = Field(description="Number of the revision; also the ETag", examples=[4])
    outcome: Literal["applied", "pending"] = Field(
        description="pending: the wait ended first; the revision tells how it ended", examples=["applied"]
    )
    proxies: ProxyOutcomes = Field(description="What the proxies said")
    policy: PolicyView | None = Field(description="The policy as it stands now; null while pending")


class RevisionView(BaseModel):
    """One change of a policy, whatever became of it."""

    name: str = Field(description="Name of the policy", examples=["payments-canary"])
    revision: int = Field(description="Counts from 1", examples=[4])
    at: datetime = Field(description="When", examples=["2030-01-31T12:00:00Z"])
    actor: str = Field(description="Who", examples=["token:ci"])
    reason: str = Field(description="Why", examples=["canary, 10 %"])
    before: dict[str, Any] | None = Field(
        description="The policy before; null: there was none", examples=[None]
    )
    after: dict[str, Any] | None = Field(
        description="The policy that was wanted; null: none", examples=[EXAMPLE]
    )
    outcome: str = Field(
        description="applied, refused (invalid), failed (taken back), pending, lease_ended, guard_reverted",
        examples=["applied"],
    )
    proxies: dict[str, Any] = Field(
        description="`acked`, `nacked`, `pending` with each proxy's words; for a refused one its `findings`",
        examples=[{"acked": [_PROXY_EXAMPLE], "nacked": [], "pending": []}],
    )


class Revisions(BaseModel):
    """A page of revisions, the newest first."""

    items: list[RevisionView] = Field(description="The revisions", examples=[[]])
    next_cursor: str | None = Field(
        description="Ask for the next page with it; null at the end", examples=["41"]
    )


def policy_view(stored: StoredPolicy) -> dict[str, Any]:
    facts = {name: getattr(stored, name) for name in ("name", "enabled", *_STORED)}
    view = PolicyView.model_construct(
        **facts, guard_state=_guard_view(stored.guard), steps_state=_steps_view(stored.steps)
    )
    return stored.document | view.model_dump(mode="json", exclude={"target"})


def _guard_view(document: dict[str, Any] | None) -> GuardView | None:
    if document is None:
        return None
    return GuardView.model_validate(document | {"until": _time(document["until"])})


def _steps_view(document: dict[str, Any] | None) -> StepsView | None:
    if document is None:
        return None
    facts = {"step": document["step"] + 1, "next_at": _time(document["until"])}
    return StepsView.model_validate(document | facts)


def _time(seconds: float | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None else None


def plan_view(plan: Plan) -> PlanView:
    return PlanView.model_validate(plan, from_attributes=True)


def applied_view(applied: Applied) -> dict[str, Any]:
    proxies = ProxyOutcomes.model_validate(applied.proxies, from_attributes=True)
    return {
        "name": applied.name,
        "revision": applied.revision,
        "outcome": applied.outcome,
        "proxies": proxies.model_dump(mode="json"),
        "policy": policy_view(applied.policy) if applied.policy else None,
    }


def revision_view(revision: Revision) -> RevisionView:
    return RevisionView.model_validate(revision, from_attributes=True)
