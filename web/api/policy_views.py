"""How policies, plans and revisions look in the API."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from store.policies import Revision, StoredPolicy
from web.plan import Plan
from web.rollout import Applied

READ_ONLY = ("revision", "expires_at", "created_at", "updated_at")
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
    type: str = Field(description="CDS EDS LDS RDS", examples=["RDS"])
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
        description="applied, refused (invalid), failed (taken back), pending, lease_ended",
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
    facts = PolicyView.model_construct(
        **{name: getattr(stored, name) for name in (*READ_ONLY, "name", "enabled")}
    )
    return stored.document | facts.model_dump(mode="json", exclude={"target"})


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
