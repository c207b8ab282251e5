"""``/api/v1/breakers``: circuit breakers per caller instance and target, and when they changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import polars as pl
from fastapi import APIRouter, Depends, Query
from sqlalchemy.engine import Engine

from collector.breaker_edges import KEY, REASONS
from collector.breakers import COUNTED_FOR, as_reported
from proxy_plugin.envoy.mesh import Mesh
from proxy_plugin.envoy.rules import limits
from store import transitions
from store.policies import StoredPolicy
from web import cursors
from web.api.breaker_models import BreakerPage, BreakerView, Transition, TransitionPage
from web.api.pages import Limit
from web.auth import Reader
from web.breakers import PAGE_KEY, MeshBreakers, Wanted, true_names
from web.problems import known_query_only, problem_responses
from web.window import moment, rfc3339, window

State = Annotated[
    Literal["open", "half_open", "closed", "unknown"] | None,
    Query(description="Only those in this state.", examples=["open"]),
]
_NODE = r"^[^\x00-\x1f\x7f]{1,512}$"
Source = Annotated[
    str | None, Query(pattern=_NODE, description="Node id of the caller.", examples=["shop/checkout"])
]
Target = Annotated[
    str | None, Query(pattern=_NODE, description="Node id of the called.", examples=["shop/payments"])
]
Cursor = Annotated[
    str | None,
    Query(max_length=16_384, description="`next_cursor` of the page before.", examples=["W10"]),
]
Policies = Callable[[], Awaitable[Sequence[StoredPolicy]]]


@dataclass(frozen=True, slots=True)
class BreakerParts:
    """What the routes read."""

    breakers: MeshBreakers
    mesh: Callable[[], Mesh]
    policies: Policies
    telemetry: Engine


def router(parts: BreakerParts) -> APIRouter:
    """The two routes."""
    # Over 40 lines: a function for each route, which FastAPI wants to see here.
    routes = APIRouter(
        prefix="/api/v1/breakers", tags=["breakers"], dependencies=[Depends(known_query_only)],
        responses=problem_responses(400, 401, 422),
    )  # fmt: skip

    @routes.get("", summary="Circuit breakers per caller instance and target, now")
    async def breakers(
        who: Reader,
        state: State = None,
        source: Source = None,
        target: Target = None,
        start: Annotated[
            str,
            Query(
                description="From when on calls that found no room are counted, until now: RFC 3339, unix seconds or"
                " relative. More than the last quarter of an hour is not known.",
                examples=["now-5m"],
            ),
        ] = "now-1m",
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> BreakerPage:
        """Who does not report is `unknown`, never `closed`."""
        now = time.time()
        wanted, since = Wanted(state or "", source or "", target or ""), moment(start, now, "start")
        after = cursors.read(cursor, wanted) if cursor else None
        mesh = parts.mesh()
        changed = {each.name: each.updated_at.timestamp() for each in await parts.policies()}
        rows = await asyncio.to_thread(parts.breakers.callers, mesh, wanted, since, now)
        page, following = _page(rows, wanted, limit, after)
        out = parts.breakers.ejected_hosts(mesh)
        since = max(since, now - COUNTED_FOR)
        return BreakerPage(
            items=[_view(row, mesh, changed, since, out) for row in page.to_dicts()], next_cursor=following
        )

    @routes.get("/transitions", summary="When circuit breakers changed")
    async def changes(
        who: Reader,
        source: Source = None,
        target: Target = None,
        start: Annotated[
            str, Query(description="Start: RFC 3339, unix seconds or relative.", examples=["now-24h"])
        ] = "now-1h",
        end: Annotated[str, Query(description="End, not included.", examples=["now"])] = "now",
        limit: Limit = 100,
        cursor: Cursor = None,
    ) -> TransitionPage:
        """The newest first: of breakers, and of hosts that were ejected or came back."""
        asked = window(start, end, time.time())
        question = source, target, start, end
        after = cursors.read(cursor, question) if cursor else None
        names = true_names(parts.mesh())
        wanted = transitions.Wanted(asked.start, asked.end, source or "", as_reported(target or ""))
        found = await asyncio.to_thread(transitions.page, parts.telemetry, wanted, limit + 1, after)
        rows = found.to_dicts()
        following = cursors.written(question, _place(rows[limit - 1])) if len(rows) > limit else None
        return TransitionPage(items=[_transition(row, names) for row in rows[:limit]], next_cursor=following)

    return routes


def _page(rows: pl.DataFrame, wanted: Wanted, limit: int, after: Any) -> tuple[pl.DataFrame, str | None]:
    if after is not None:
        last = pl.concat([rows.select(PAGE_KEY), pl.DataFrame([after], schema=PAGE_KEY, orient="row")])
        order = last.select(pl.struct(PAGE_KEY).rank("min")).to_series()
        rows = rows.filter(order[:-1] > order[-1])
    page = rows.head(limit)
    more = rows.height > limit
    return page, cursors.written(wanted, list(page.select(PAGE_KEY).row(-1))) if more else None


def _view(
    row: dict[str, Any],
    mesh: Mesh,
    changed: dict[str, float],
    since: float,
    out: dict[tuple[str, ...], list[dict[str, Any]]],
) -> BreakerView:
    hosts = out.get(tuple(row[name] for name in KEY), [])
    ends = row["source"], row["target"]
    forced = None
    if row["force"]:
        policy = row["policy"]
        forced = {"state": row["force"], "policy": policy, "since": _time(changed.get(policy))}
    return BreakerView.model_validate(
        {
            **{name: row[name] for name in ("source", "instance", "target", "reporter", "state")},
            "version": None if row["version"] == "*" else row["version"],
            "since": _time(row["since"]),
            "reasons": {reason: _time(at) for reason in REASONS if (at := row[f"since_{reason}"])},
            "limits": limits(mesh, *ends) if row["reporter"] == "proxy" else None,
            "tripped": {
                "calls": row["calls"] or 0.0,
                "since": _time(since),
                "last": _time(row["overflowed"]),
            },
            "ejected": _whole(row["ejected"]),
            "ejected_hosts": [
                {"host": each["host"], "since": _time(each["time"]), "reason": each["reasons"]}
                for each in hosts
            ],
            "healthy": _whole(row["healthy"]),
            "hosts": _whole(row["hosts"]),
            "panic": row["since_panic"] is not None,
            "forced": forced,
            "reported": _time(row["seen"]),
        }
    )


def _transition(row: dict[str, Any], names: dict[str, str]) -> Transition:
    return Transition.model_validate(
        {
            **{name: row[name] for name in ("source", "instance", "before", "state")},
            "time": _time(row["time"]),
            "target": names.get(row["target"], row["target"]),
            "version": None if row["version"] == "*" else row["version"],
            "host": row["host"] or None,
            "reasons": [each for each in row["reasons"].split(",") if each],
            **{name: _whole(row[name]) for name in ("ejected", "hosts")},
        }
    )


def _place(row: dict[str, Any]) -> list[Any]:
    return [round(row["time"] * 1e3), *(row[name] for name in transitions.ORDER[1:])]


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else rfc3339(round(seconds, 3))


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)
