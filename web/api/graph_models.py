"""What ``/api/v1/graph`` answers."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Latency(BaseModel):
    """Percentiles in milliseconds; null where there is no sample."""

    p50: float = Field(description="Median", examples=[4.1])
    p90: float = Field(description="90 of 100 calls took no longer", examples=[9.0])
    p95: float = Field(description="95 of 100", examples=[12.2])
    p99: float = Field(description="99 of 100", examples=[40.0])


class Side(BaseModel):
    """What one side of an edge saw. A side that was not seen has 0 calls and no latency."""

    calls: float = Field(description="Calls, weighted by sampling", examples=[100.0])
    failed: float = Field(description="Failed calls", examples=[3.0])
    latency_ms: Latency | None = Field(description="Durations as this side measured them")


class Wait(BaseModel):
    """Percentiles in milliseconds."""

    p50: float = Field(description="Median", examples=[120.0])
    p95: float = Field(description="95 of 100 deliveries waited no longer", examples=[900.0])
    p99: float = Field(description="99 of 100", examples=[2500.0])


class Version(BaseModel):
    """Calls to one version of the target."""

    calls: float = Field(description="Calls that this version served", examples=[90.0])
    failed: float = Field(description="Failed calls", examples=[1.0])
    error_rate: float | None = Field(description="failed / calls", examples=[0.011])
    latency_ms: Latency | None = Field(description="Durations")


class Finding(BaseModel):
    """One figure on which the two sides of an edge differ."""

    what: Literal["calls_lost", "calls_unreported", "failures_unseen"] = Field(
        description="More calls at the client, more at the server (retries apart), or failures of the client alone",
        examples=["calls_lost"],
    )
    client: float = Field(description="What the client counted", examples=[100.0])
    server: float = Field(description="What the server counted", examples=[88.0])
    difference: float = Field(description="By how much they differ", examples=[12.0])
    share: float = Field(description="difference / calls of the side that has more", examples=[0.12])
    why: str = Field(description="What it may come from", examples=["the target reports fewer calls than …"])


class Discrepancy(BaseModel):
    """Client and server side contradict each other by more than a threshold."""

    threshold: float = Field(
        description="Share by which they may differ: `HEALTH_DISCREPANCY`, or the target's own",
        examples=[0.05],
    )
    min_calls: float = Field(description="Calls below which nothing is flagged", examples=[5.0])
    findings: list[Finding] = Field(description="Each figure that differs")


_INTERVAL = "95 % confidence interval (Wilson) of `error_rate`; null without calls"
_HEALTH = (
    "healthy degraded failing idle: by the lower end of `error_interval` and the thresholds of the service"
)
_AMPLIFICATION = "attempts / requests: 1 without retries; null without requests"


class Node(BaseModel):
    """A service, database, messaging destination, external target, or a caller from outside."""

    id: str = Field(
        description="`namespace/service`, or `service`; `service@version`, `service#operation` or the namespace where"
        " the graph is grouped so",
        examples=["shop/checkout"],
    )
    service: str = Field(description="Name without namespace", examples=["checkout"])
    namespace: str | None = Field(description="Namespace, null without one", examples=["shop"])
    version: str | None = Field(
        description="Where nodes are versions: this one; null for all versions together", examples=["v2"]
    )
    operation: str | None = Field(
        description="Where nodes are operations: this one; null for the service as a caller",
        examples=["GET /cart"],
    )
    kind: str = Field(
        description="service gateway database messaging external user unknown", examples=["service"]
    )
    calls: float = Field(description="Calls that it served", examples=[120.0])
    failed: float = Field(description="Of them failed", examples=[3.0])
    rate: float = Field(description="calls per second of the window that has passed", examples=[2.0])
    error_rate: float | None = Field(description="failed / calls; null without calls", examples=[0.025])
    error_interval: list[float] | None = Field(description=_INTERVAL, examples=[[0.0085, 0.0709]])
    health: str = Field(description=_HEALTH, examples=["degraded"])
    failures: dict[str, float] = Field(
        description="Failed calls by class, and cancelled ones beside them", examples=[{"timeout": 1.0}]
    )
    attempts: float = Field(description="Requests to it with their retries", examples=[121.0])
    requests: float = Field(description="Requests to it without retries", examples=[120.0])
    amplification: float | None = Field(description=_AMPLIFICATION, examples=[1.008])
    latency_ms: Latency | None = Field(description="What it served itself; else what its callers saw")
    instances: int | None = Field(description="Proxies connected for it; null if it has none", examples=[2])
    versions: dict[str, float] = Field(description="Calls per version", examples=[{"v1": 90.0, "v2": 10.0}])
    breaker: dict[str, Any] | None = Field(
        description="Circuit breakers of its callers' proxies together, at the end of the window; null: nobody reports",
        examples=[{"state": "closed", "callers_open": 0, "ejected": 0, "hosts": 4}],
    )
    first_seen: str | None = Field(
        description="First call to it or from it: in the retention; where nodes are no whole services, in the window",
        examples=["2026-01-31T12:00:00Z"],
    )
    last_seen: str | None = Field(description="Last such call", examples=["2026-01-31T12:14:59Z"])


class Edge(BaseModel):
    """Calls from one node to another."""

    model_config = ConfigDict(extra="allow")

    source: str = Field(description="Node id of the caller", examples=["shop/checkout"])
    target: str = Field(description="Node id of the called", examples=["shop/payments"])
    protocol: str | None = Field(description="Most frequent protocol", examples=["http"])
    kind: Literal["call", "messaging"] = Field(description="call or messaging", examples=["call"])
    calls: float = Field(description="Headline: client calls and servers without client", examples=[100.0])
    failed: float = Field(description="Failed on either side, without cancelled ones", examples=[3.0])
    rate: float = Field(description="calls per second of the window that has passed", examples=[1.67])
    error_rate: float | None = Field(description="failed / calls", examples=[0.03])
    error_interval: list[float] | None = Field(description=_INTERVAL, examples=[[0.0103, 0.0845]])
    health: str = Field(description=_HEALTH, examples=["degraded"])
    client: Side = Field(description="As the caller saw it")
    server: Side = Field(description="As the called saw it")
    wait_ms: Wait | None = Field(
        description="Of messages: from the producer's end to the consumer's start; null where none is known"
    )
    negative_wait: float | None = Field(
        description="Of messages: deliveries whose consumer starts before the producer ends, which have no wait;"
        " null of calls",
        examples=[0.0],
    )
    failures: dict[str, float] = Field(
        description="Failed calls by class, and cancelled ones beside them", examples=[{"timeout": 1.0}]
    )
    attempts: float = Field(description="Requests with their retries", examples=[101.0])
    requests: float = Field(description="Requests without retries", examples=[100.0])
    amplification: float | None = Field(description=_AMPLIFICATION, examples=[1.01])
    retries: float = Field(description="attempts − requests", examples=[1.0])
    discrepancy: Discrepancy | None = Field(
        description="What the two sides say differently; null where they agree, or one was not seen"
    )
    flags: dict[str, float] = Field(description="Envoy response flags", examples=[{"UO": 2.0}])
    versions: dict[str, Version] = Field(description="Per version of the target")
    breaker: dict[str, Any] | None = Field(
        description="Circuit breaker of the callers' proxies, at the end of the window; null: nobody reports",
        examples=[{"state": "closed", "callers_open": 0, "callers": 3, "ejected": 0, "hosts": 4}],
    )
    mtls: bool | None = Field(description="null: not known", examples=[None])
    evidence: list[str] = Field(
        description="What the numbers rest on: span, log or metric", examples=[["span"]]
    )
    virtual: bool = Field(description="The target is known from its callers only", examples=[False])
    inferred: bool = Field(description="The edge is inferred", examples=[False])
    first_seen: str | None = Field(
        description="First call in the retention", examples=["2026-01-31T12:00:00Z"]
    )
    last_seen: str | None = Field(description="Last call in the retention", examples=["2026-01-31T12:14:59Z"])


class Graph(BaseModel):
    """Nodes and edges of a window."""

    start: str = Field(description="Start of the window", examples=["2026-01-31T12:00:00Z"])
    end: str = Field(description="End of the window, or now", examples=["2026-01-31T12:15:00Z"])
    partial: bool = Field(description="Whether the window goes on after now", examples=[False])
    nodes: list[Node] = Field(description="Nodes, by id")
    edges: list[Edge] = Field(description="Edges, by source, target and kind")
