"""What ``/api/v1/breakers`` answers, as its documentation has it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

State = Literal["open", "half_open", "closed", "unknown"]
_AT = "2026-01-31T12:00:00Z"
_STATE = "open: calls are turned away. half_open: a library tries whether they may go again. unknown: nobody reports"
_REASONS = (
    "requests, pending: at the limit of requests, or of those that wait. overflow: calls found no room in the last"
    " seconds. all_ejected: no host is left. ejection: some hosts are ejected. panic: ejected hosts are routed to all"
    " the same"
)


class Tripped(BaseModel):
    """Calls that found no room."""

    calls: float = Field(description="So many", examples=[8.0])
    since: datetime = Field(description="Counted from here to now", examples=[_AT])
    last: datetime | None = Field(description="When the last one was reported", examples=[_AT])


class ForcedView(BaseModel):
    """A policy that holds it open or closed."""

    state: Literal["open", "closed"] = Field(description="How it is held", examples=["open"])
    policy: str = Field(description="The policy that says so", examples=["stop-payments"])
    since: datetime | None = Field(description="When that policy came into force", examples=[_AT])


class EjectedHost(BaseModel):
    """A host that the caller's proxy routes around, from its own log."""

    host: str = Field(description="Address and port", examples=["10.0.0.1:8080"])
    since: datetime = Field(description="Since when", examples=[_AT])
    reason: str = Field(description="Envoy's kind of ejection", examples=["consecutive_5xx"])


class BreakerView(BaseModel):
    """One caller instance and one target, or one version of it."""

    source: str = Field(description="Node id of the caller", examples=["shop/checkout"])
    instance: str = Field(description="The caller's instance", examples=["checkout-1"])
    target: str = Field(description="Node id of the called", examples=["shop/payments"])
    version: str | None = Field(
        description="The version of the target that it is about; null: all together", examples=["v1"]
    )
    reporter: Literal["proxy", "library"] = Field(description="Who tells it", examples=["proxy"])
    state: State = Field(description=_STATE, examples=["open"])
    since: datetime | None = Field(
        description="Since when, at least: a collector that starts takes what it finds for new; null: never heard of",
        examples=[_AT],
    )
    reasons: dict[str, datetime] = Field(
        description=f"What holds, and since when. {_REASONS}", examples=[{"requests": _AT}]
    )
    limits: dict[str, int] | None = Field(
        description="Of the caller's proxy, in force; null for a library", examples=[{"max_requests": 200}]
    )
    tripped: Tripped = Field(description="Calls that found no room")
    ejected: int | None = Field(description="Hosts that are ejected; null: not known", examples=[1])
    ejected_hosts: list[EjectedHost] = Field(
        description="Which, as far as the proxy's log of ejections tells", examples=[[]]
    )
    healthy: int | None = Field(description="Hosts that are not; null: not known", examples=[3])
    hosts: int | None = Field(description="Hosts in all; null: not known", examples=[4])
    panic: bool = Field(
        description="So many hosts are ejected that calls go to them all the same", examples=[False]
    )
    forced: ForcedView | None = Field(description="The policy that holds it; null without one")
    reported: datetime | None = Field(description="The last report; null: none", examples=[_AT])


class BreakerPage(BaseModel):
    """A page of breakers, by target, caller, instance and version."""

    items: list[BreakerView] = Field(description="The breakers", examples=[[]])
    next_cursor: str | None = Field(
        description="Ask for the next page with it; null at the end", examples=[None]
    )


class Transition(BaseModel):
    """A breaker, or a host, changed."""

    time: datetime = Field(description="When it was seen", examples=[_AT])
    source: str = Field(description="Node id of the caller", examples=["shop/checkout"])
    instance: str = Field(description="The caller's instance", examples=["checkout-1"])
    target: str = Field(description="Node id of the called", examples=["shop/payments"])
    version: str | None = Field(
        description="The version of the target that it is about; null: all together", examples=["v1"]
    )
    host: str | None = Field(
        description="The host that was ejected or came back; null: it is about the breaker",
        examples=["10.0.0.1:8080"],
    )
    before: str = Field(
        description="open, half_open, closed, unknown; of a host: in, ejected", examples=["closed"]
    )
    state: str = Field(description="The same, from then on", examples=["open"])
    reasons: list[str] = Field(
        description=f"What holds from then on. {_REASONS}. Of a host: Envoy's kind of ejection",
        examples=[["overflow"]],
    )
    ejected: int = Field(description="Hosts that are ejected from then on", examples=[0])
    hosts: int = Field(description="Hosts in all", examples=[2])


class TransitionPage(BaseModel):
    """A page of transitions, the newest first."""

    items: list[Transition] = Field(description="The transitions", examples=[[]])
    next_cursor: str | None = Field(
        description="Ask for the next page with it; null at the end", examples=[None]
    )
